//! The state in the kernel of single routes, and of the routes of each VNI. Only reads, when an operator asks.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::config::{Meaning, Target};
use super::retry::Why;
use super::routes::{Actual, RouteSlot};
use super::unusable::Unusable;
use super::{Fib, Link, WANTED_MAX};
use crate::dataplane::Route;
use crate::ids::Moment;
use crate::netlink::model::{Hop, RouteKey};
use crate::netlink::standing::{
    InstalledRoute, KernelRoute, KernelVerdict, KernelVni, LeftOut, Omitted,
};
use crate::wire::{Action, Destination, Installed, Update, Vni};

impl Fib {
    /// The state of the routes of each VNI that has a table. Walks all routes.
    pub(crate) fn vnis(&self) -> Vec<KernelVni> {
        let mut all: BTreeMap<Vni, KernelVni> = BTreeMap::new();
        for (&vni, &table) in &self.config.tables {
            let (excluded, unusable) = self.refusals.of(vni);
            let routes =
                Installed { left_out: number(excluded + unusable), ..Installed::default() };
            all.insert(vni, KernelVni { excluded, unusable, routes, ..KernelVni::new(vni, table) });
        }
        for id in self.routes.ids() {
            let slot = &self.routes[id];
            let Some(source) = slot.source() else { continue };
            // The numbers of routes by VNI; nearly always there is one VNI.
            let mut sources: SmallVec<[(Vni, u64); 1]> = SmallVec::new();
            for wanted in &slot.wanted {
                let (vni, routes) = (wanted.target.source, u64::from(wanted.routes));
                match sources.iter_mut().find(|it| it.0 == vni) {
                    Some(of_vni) => of_vni.1 += routes,
                    None => sources.push((vni, routes)),
                }
            }
            for (vni, routes) in sources {
                let Some(of_vni) = all.get_mut(&vni) else { continue };
                of_vni.wanted += 1;
                let verdict = self.verdict(id, slot, vni == source);
                match verdict {
                    KernelVerdict::Shadowed(_) => of_vni.routes.left_out += routes,
                    _ => of_vni.routes.wanted += routes,
                }
                *match verdict {
                    KernelVerdict::Installed => {
                        of_vni.routes.accepted += routes;
                        &mut of_vni.installed
                    }
                    KernelVerdict::Refused(_) => &mut of_vni.refused,
                    KernelVerdict::Conflict(_) => &mut of_vni.conflicts,
                    KernelVerdict::Shadowed(_) => &mut of_vni.shadowed,
                    KernelVerdict::Pending(_) | KernelVerdict::NotWanted => &mut of_vni.pending,
                } += 1;
            }
        }
        all.into_values().collect()
    }

    /// The state of the route to a destination, and which of `routes`, which all lead to it, are not part of it. `None`
    /// when the VNI has no table.
    pub(crate) fn standing(
        &self,
        vni: Vni,
        destination: Destination,
        routes: &[Route],
        now: Moment,
    ) -> Option<KernelRoute> {
        let table = *self.config.tables.get(&vni)?;
        let key = self.config.key(table, destination);
        let left_out = routes.iter().filter_map(|route| self.left_out(*route)).collect();
        let mut standing = KernelRoute {
            table,
            metric: key.metric,
            verdict: KernelVerdict::NotWanted,
            installed: None,
            left_out,
        };
        let Some(id) = self.routes.find(&key) else { return Some(standing) };
        let slot = &self.routes[id];
        standing.installed = self.installed(slot, now);
        let is_wanted = slot.wanted.iter().any(|wanted| wanted.target.source == vni);
        if is_wanted {
            standing.verdict = self.verdict(id, slot, slot.source() == Some(vni));
        }
        Some(standing)
    }

    /// The state of a wanted route. `is_source`: whether the next hops of its VNI are the installed ones.
    fn verdict(&self, id: u32, slot: &RouteSlot, is_source: bool) -> KernelVerdict {
        if let Some(source) = slot.source().filter(|_| !is_source) {
            return KernelVerdict::Shadowed(source);
        }
        if slot.done {
            return KernelVerdict::Installed;
        }
        let words = self.why_not(id);
        match self.failures.get(id).map(|failure| &failure.why) {
            _ if !matches!(self.link, Link::Up { .. }) => KernelVerdict::Pending(words),
            Some(Why::Conflict(_) | Why::Taken) => KernelVerdict::Conflict(words),
            Some(Why::Refused(_) | Why::Fight) => KernelVerdict::Refused(words),
            None => KernelVerdict::Pending(words),
        }
    }

    /// The route that the kernel has.
    fn installed(&self, slot: &RouteSlot, now: Moment) -> Option<InstalledRoute> {
        let underlay = |hop: &Hop| hop.underlay;
        let next_hops = match &slot.actual {
            Actual::Absent => return None,
            Actual::Object(object) => self.objects.hops(*object).iter().map(underlay).collect(),
            Actual::Hops(hops) => hops.iter().map(underlay).collect(),
            Actual::Other => Vec::new(),
        };
        Some(InstalledRoute { next_hops, since: now.since(slot.since), was_found: slot.was_found })
    }

    /// Why a route is not part of the wanted route; `None` if it is part of it.
    fn left_out(&self, route: Route) -> Option<LeftOut> {
        let Route { vni, destination, next_hop } = route;
        let update = Update { action: Action::Add, vni, destination, next_hop };
        let (omitted, words) = match self.config.read(&update) {
            Meaning::Ignored => return None,
            Meaning::Excluded(why) => (Omitted::Excluded, why.to_string()),
            Meaning::Unusable(why) => (Omitted::Unusable, why.to_string()),
            Meaning::Route(key, target) if self.refusals.held.contains_key(&(key, target)) => {
                (Omitted::Unusable, Unusable::OwnAddress.to_string())
            }
            Meaning::Route(key, target) if self.is_full_without(&key, target) => {
                (Omitted::Unusable, format!("its destination has {WANTED_MAX} next hops already"))
            }
            Meaning::Route(..) => return None,
        };
        Some(LeftOut { route, omitted, words })
    }

    /// Whether a destination has the most next hops already, without this one.
    fn is_full_without(&self, key: &RouteKey, target: Target) -> bool {
        let slot = self.routes.find(key).map(|id| &self.routes[id]);
        slot.is_some_and(|slot| {
            slot.wanted.len() >= WANTED_MAX
                && slot.wanted.iter().all(|wanted| wanted.target != target)
        })
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
