//! Changes that others make to our routes, to our objects and to the tunnel device.
//!
//! Events are hints. If an event says what became of one of our routes, it is believed; otherwise the kernel is
//! queried. Nothing is repaired here: routes are only put on the list of those to be examined.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::link::Link;
use super::notes::NoteKind;
use super::objects::Lost;
use super::retry::{Drift, Why};
use super::routes::Actual;
use super::{Fib, Query};
use crate::ids::Moment;
use crate::netlink::model::{Abilities, KernelEvent, OWN_ADDRESSES, Object, RouteKey};
use crate::wire::Destination;

/// The time between two hints at the program that may delete routes.
const HINTS: Duration = Duration::from_secs(600);
const IPV6_MULTICAST: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0));

impl Fib {
    /// Takes in an event.
    pub(crate) fn event(&mut self, event: &KernelEvent, now: Moment) {
        match event {
            KernelEvent::RouteSet { key, .. } | KernelEvent::RouteDeleted { key, .. }
                if key.table == OWN_ADDRESSES =>
            {
                self.schedule.ask(Query::OwnAddresses, now);
                if tells_of_ipv6(key) {
                    self.schedule.ask(Query::Device, now);
                }
                self.route_event(event, now);
            }
            KernelEvent::RouteSet { .. } | KernelEvent::RouteDeleted { .. } => {
                self.route_event(event, now);
            }
            KernelEvent::ObjectSet { id, .. } => {
                if self.config.ids.contains(id) {
                    self.schedule.ask(Query::Objects, now);
                }
            }
            KernelEvent::ObjectDeleted { id } => {
                if self.objects.is_ours(*id) {
                    self.lost.insert(*id);
                }
            }
            KernelEvent::DeviceSet { index, name, up, abilities } => {
                self.device_set(*index, name, *up, *abilities, now);
            }
            KernelEvent::DeviceDeleted { index, name } => {
                if self.link.index() == Some(*index) || *name == self.config.device {
                    self.set_link(Link::Gone, now);
                    self.schedule.at(Query::Device, now);
                }
            }
            KernelEvent::Overrun => {
                self.notes.add(
                    NoteKind::Other,
                    "events of the kernel were lost: the leaf reads all its routes again",
                );
                self.counts.reconciles += 1;
                self.look_at_all(now);
            }
        }
    }

    fn route_event(&mut self, event: &KernelEvent, now: Moment) {
        match event {
            KernelEvent::RouteSet { key, protocol } => self.route_set(key, *protocol, now),
            KernelEvent::RouteDeleted { key, protocol } => self.route_deleted(key, *protocol, now),
            _ => {}
        }
    }

    fn route_set(&mut self, key: &RouteKey, protocol: u8, now: Moment) {
        if !self.tables.contains(&key.table) {
            return;
        }
        let ours = protocol == self.config.protocol;
        let matters = match self.routes.find(key) {
            None => ours,
            Some(_) if ours => true,
            Some(id) if self.routes[id].actual != Actual::Absent => {
                // The own route may be gone, and a replacement would hit the foreign one: a query will tell.
                if self.failures.conflict(id).is_none() {
                    self.failures.note(id, Why::Taken, now);
                }
                true
            }
            Some(id) => self.failures.conflict(id) != Some(protocol),
        };
        if matters {
            self.schedule.ask(Query::Routes(key.table), now);
        }
    }

    fn route_deleted(&mut self, key: &RouteKey, protocol: u8, now: Moment) {
        let Some(id) = self.routes.find(key) else { return };
        let is_others = self.routes[id].actual == Actual::Absent;
        if protocol != self.config.protocol || is_others {
            if self.failures.conflict(id).is_some() {
                self.end_conflict(id);
            }
        } else {
            self.set_actual(id, Actual::Absent);
            self.drift(id, Drift::Deleted, now);
        }
    }

    fn device_set(&mut self, index: u32, name: &str, up: bool, abilities: Abilities, now: Moment) {
        let known = self.link.index() == Some(index);
        let named = name == self.config.device;
        if known && !up {
            // The kernel drops all routes on it, mostly without an event.
            self.set_link(Link::Down { index }, now);
        }
        let same = named
            && up
            && matches!(self.link, Link::Up { index: i, abilities: a, .. } if i == index && a == abilities);
        if (known || named) && !same {
            self.schedule.at(Query::Device, now);
        }
    }

    /// The device is another one, or in another state: everything must be queried before
    /// anything is written.
    pub(super) fn set_link(&mut self, link: Link, now: Moment) {
        if self.link == link {
            return;
        }
        let up = matches!(link, Link::Up { .. });
        if same_but_for_mtu(&self.link, &link) {
            self.link = link;
            self.retry_refused();
            return;
        }
        let lacks = link.no_ipv6(&self.config.device).is_some() && !self.config.ipv4_only;
        let kind = if up && !lacks { NoteKind::Up } else { NoteKind::Down };
        self.notes.add(kind, link.describe(&self.config.device));
        self.link = link;
        self.look_at_all(now);
        if up {
            let wanted = |&id: &u32| !self.routes[id].wanted.is_empty();
            let ids: Vec<_> = self.routes.ids().filter(wanted).collect();
            for id in ids {
                self.touch(id);
            }
        }
    }

    /// The device has changed: the kernel may now take routes that it refused.
    fn retry_refused(&mut self) {
        let refused = self.failures.iter().filter(|(_, why)| matches!(why, Why::Refused(_)));
        let ids: Vec<_> = refused.map(|(id, _)| id).collect();
        for id in ids {
            self.touch(id);
        }
    }

    /// Takes in the objects of [`Query::Lost`] that the kernel still has. An event may be older than an own object that
    /// got the same id since.
    pub(crate) fn saw_lost(&mut self, found: &[Object], now: Moment) {
        let mut ids = std::mem::take(&mut self.lost);
        for object in found {
            if self.objects.confirm(object) {
                ids.remove(&object.id);
            }
        }
        let lost = self.objects.lose(&ids);
        self.mend(&lost, now);
    }

    /// Finds the routes that lost their objects, and counts the users of all others.
    pub(super) fn mend(&mut self, lost: &Lost, now: Moment) {
        if !lost.is_empty() {
            let ids: Vec<_> = self.routes.ids().collect();
            for id in ids {
                let Actual::Object(object) = self.routes[id].actual else { continue };
                if lost.gone.contains(&object) {
                    // The kernel deletes IPv4 routes together with their object, silently.
                    self.set_actual(id, Actual::Absent);
                    self.drift(id, Drift::Deleted, now);
                } else if lost.changed.contains(&object) {
                    // Mostly a group of which a member was deleted.
                    self.drift(id, Drift::Deleted, now);
                }
            }
        }
        let routes = &self.routes;
        self.objects.recount(routes.ids().filter_map(|id| match routes[id].actual {
            Actual::Object(object) => Some(object),
            _ => None,
        }));
    }

    /// The kernel's state of a route is not what was installed.
    pub(super) fn drift(&mut self, id: u32, drift: Drift, now: Moment) {
        let slot = &mut self.routes[id];
        if slot.wanted.is_empty() {
            if slot.actual == Actual::Absent {
                slot.adopted = false;
                self.dead.push(id);
            }
            return;
        }
        slot.done = false;
        let up = matches!(self.link, Link::Up { .. });
        let why = self.failures.get(id).map(|failure| &failure.why);
        // A query will tell which route has the key now; then this route is examined.
        let others = matches!(why, Some(Why::Conflict(_) | Why::Taken));
        if slot.dirty || !up || others {
            return;
        }
        self.counts.repairs += 1;
        let key = slot.key;
        let what = match drift {
            Drift::Deleted => "deleted",
            Drift::Changed => "changed",
        };
        self.notes.add(NoteKind::Repair, format_args!("another program has {what} {key}"));
        let verdict = self.failures.repair(id, drift, now);
        if verdict.at_once {
            self.touch(id);
        }
        if verdict.again {
            self.hint_at_networkd(now);
        }
    }

    /// Names, every now and then, a program known to delete routes again and again.
    fn hint_at_networkd(&mut self, now: Moment) {
        if self.hinted.is_some_and(|at| now.since(at) < HINTS) {
            return;
        }
        self.hinted = Some(now);
        self.notes.add(
            NoteKind::Deleter,
            "another program deletes these routes or their nexthop objects again and again, and the \
             leaf puts them back each time. If it is systemd-networkd, set ManageForeignNextHops=no and \
             ManageForeignRoutes=no under [Network] in networkd.conf",
        );
    }

    /// The foreign route that was in the way is gone.
    pub(super) fn end_conflict(&mut self, id: u32) {
        if self.failures.conflict(id).is_some() {
            let key = self.routes[id].key;
            self.notes.add(NoteKind::Resolved, format_args!("{key}: no other route is in the way"));
        }
        self.failures.clear(id);
        self.touch(id);
    }
}

/// Whether a changed route of the table `local` tells that some device got or lost IPv6: it is the multicast route of
/// a device. The kernel sends no other event when `disable_ipv6` is written.
fn tells_of_ipv6(key: &RouteKey) -> bool {
    let is_multicast = |to: Destination| to.prefix_len() == 8 && to.addr() == IPV6_MULTICAST;
    is_multicast(key.destination)
}

fn same_but_for_mtu(one: &Link, other: &Link) -> bool {
    match (one, other) {
        (
            Link::Up { index, kind, abilities },
            Link::Up { index: other_index, kind: other_kind, abilities: others },
        ) => index == other_index && kind == other_kind && abilities.ipv6 == others.ipv6,
        _ => false,
    }
}
