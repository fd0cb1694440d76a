//! Compares dumps of the kernel with the state that the kernel is believed to have.
//!
//! Called with whole dumps, taken while no request is under way. At the start this adopts the routes of an earlier run;
//! later it finds changes that events did not report.

use std::collections::{BTreeMap, BTreeSet};

use super::link::Link;
use super::notes::NoteKind;
use super::objects::Lost;
use super::retry::{Drift, Why};
use super::routes::Actual;
use super::{Fib, conflict};
use crate::ids::Moment;
use crate::netlink::model::{Device, KernelRoute, Object, Via, is_shared_with_host};

impl Fib {
    /// Takes in the state of the device; `None` if there is no device.
    pub(crate) fn saw_device(&mut self, device: Option<Device>, now: Moment) {
        let remark = device.as_ref().and_then(|device| device.remark.clone());
        let before = self.link.clone();
        let link = match device {
            None => Link::Gone,
            Some(Device { kind: Err(why), .. }) => Link::Unfit(why),
            Some(Device { up: false, index, .. }) => Link::Down { index },
            Some(Device { kind: Ok(kind), index, abilities, .. }) => {
                Link::Up { index, kind, abilities }
            }
        };
        self.set_link(link, now);
        if self.link != before
            && let Some(remark) = remark
        {
            self.notes.add(NoteKind::Unusable, remark);
        }
    }

    /// Whether this program has installed a route. Where the host has routes of its own, the protocol number is
    /// not enough: there it also leads into the tunnel device as this program writes it.
    fn is_own(&self, route: &KernelRoute) -> bool {
        route.protocol == self.config.protocol
            && (!is_shared_with_host(route.key.table)
                || match &route.via {
                    Via::Object(id) => self.objects.is_ours(*id),
                    Via::Hops(hops) => hops.iter().all(|hop| Some(hop.device) == self.link.index()),
                    Via::Foreign => false,
                })
    }

    /// Takes in all nexthop objects.
    pub(crate) fn saw_objects(&mut self, dump: Vec<Object>, now: Moment) {
        self.lost.clear();
        let lost = self.objects.saw(dump);
        self.mend(&lost, now);
    }

    /// Takes in the ids of the objects that routes of any table use.
    pub(crate) fn saw_users(&mut self, used: BTreeSet<u32>, now: Moment) {
        if self.objects.take_unused(used) {
            self.mend(&Lost::default(), now);
        }
    }

    /// Takes in all routes of a table, whoever installed them.
    pub(crate) fn saw_routes(&mut self, table: u32, dump: Vec<KernelRoute>, now: Moment) {
        // The query may be older than the change that dropped the table.
        if !self.tables.contains(&table) && !self.leaving.remove(&table) {
            return;
        }
        let believed = self.routes.installed_in(table);
        let mut confirmed = 0;
        let mut foreign = BTreeMap::new();
        self.routes.begin_dump();
        for route in dump {
            if route.key.table != table {
                continue;
            }
            if !self.is_own(&route) {
                if let Some(id) = self.routes.find(&route.key) {
                    foreign.insert(id, route.protocol);
                }
                continue;
            }
            let id = self.routes.find_or_insert(&route.key);
            // An IPv6 dump may show a route twice.
            if !self.routes.see(id) {
                continue;
            }
            confirmed += u32::from(self.routes[id].actual != Actual::Absent);
            self.confirm(id, Actual::of(&route.via), now);
        }
        if confirmed != believed {
            let missing: Vec<_> = self
                .routes
                .ids()
                .filter(|&id| {
                    let slot = &self.routes[id];
                    slot.key.table == table
                        && slot.actual != Actual::Absent
                        && !self.routes.was_seen(id)
                })
                .collect();
            for id in missing {
                self.set_actual(id, Actual::Absent);
                self.drift(id, Drift::Deleted, now);
            }
        }
        self.note_conflicts(table, &foreign, now);
    }

    /// A dump has an own route.
    fn confirm(&mut self, id: u32, actual: Actual, now: Moment) {
        let slot = &self.routes[id];
        let table = slot.key.table;
        let is_left = !self.tables.contains(&table);
        if slot.actual != actual {
            let was = self.routes[id].actual != Actual::Absent;
            let wanted = !self.routes[id].wanted.is_empty();
            self.set_actual(id, actual);
            (self.routes[id].since, self.routes[id].was_found) = (now, true);
            if wanted && was {
                self.drift(id, Drift::Changed, now);
            } else if wanted {
                // It appeared while its destination is announced: examine whether it is right.
                self.touch(id);
            } else if !was && !is_left && !self.complete.contains(&table) {
                self.routes[id].adopted = true;
                self.adopted.entry(table).or_default().push(id);
            }
        }
        let slot = &mut self.routes[id];
        if slot.wanted.is_empty() && !slot.adopted {
            // One dump may be wrong: a stray route goes at the second. A table that no VNI has any more gets no second.
            if std::mem::replace(&mut slot.stray, true) || is_left {
                self.touch(id);
            }
        }
    }

    /// Notes which foreign routes are in the way of own routes, and which no longer are.
    fn note_conflicts(&mut self, table: u32, foreign: &BTreeMap<u32, u8>, now: Moment) {
        for (&id, &protocol) in foreign {
            let slot = &self.routes[id];
            if slot.wanted.is_empty() && slot.actual == Actual::Absent {
                continue;
            }
            if self.failures.conflict(id) != Some(protocol) {
                let remark = format!("{}: {}", slot.key, conflict(protocol));
                self.notes.add(NoteKind::Conflict, remark);
                self.failures.note(id, Why::Conflict(protocol), now);
            }
        }
        let over: Vec<_> = self
            .failures
            .iter()
            .filter(|(id, why)| {
                matches!(why, Why::Conflict(_) | Why::Taken)
                    && self.routes[*id].key.table == table
                    && !foreign.contains_key(id)
            })
            .map(|(id, _)| id)
            .collect();
        for id in over {
            self.end_conflict(id);
        }
    }
}
