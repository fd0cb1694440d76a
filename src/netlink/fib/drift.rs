//! What others do: to our routes, to our objects, to the tunnel device.
//!
//! Events are hints: what they say of a route of ours is believed, what can't be known from them is
//! looked at. Nothing is repaired here; routes are only put on the list of those to be examined.

use super::notes::Kind;
use super::objects::Lost;
use super::retry::Why;
use super::routes::Actual;
use super::{Fib, Look};
use crate::ids::Moment;
use crate::netlink::kernel::{Event, OWN_ADDRESSES, RouteKey, TunnelKind};

/// The tunnel device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Gone,
    Down {
        index: u32,
    },
    /// It is of a sort that can't serve; one sentence says why.
    Unfit(String),
    Up {
        index: u32,
        kind: TunnelKind,
    },
}

impl Link {
    /// One sentence for the log.
    pub(crate) fn describe(&self, name: &str) -> String {
        match self {
            Self::Gone => format!("there is no device {name}"),
            Self::Down { .. } => format!("the tunnel device {name} is down"),
            Self::Unfit(why) => why.clone(),
            Self::Up { .. } => format!("the tunnel device {name} is up"),
        }
    }

    fn index(&self) -> Option<u32> {
        match self {
            Self::Down { index } | Self::Up { index, .. } => Some(*index),
            Self::Gone | Self::Unfit(_) => None,
        }
    }
}

impl Fib {
    /// Takes in an event.
    pub(crate) fn event(&mut self, event: &Event, now: Moment) {
        match event {
            Event::RouteSet { key, .. } | Event::RouteDeleted { key, .. }
                if key.table == OWN_ADDRESSES =>
            {
                self.looks.ask(Look::OwnAddresses, now);
            }
            Event::RouteSet { key, protocol } => self.route_set(key, *protocol, now),
            Event::RouteDeleted { key, protocol } => self.route_deleted(key, *protocol, now),
            Event::ObjectSet { id, .. } => {
                if self.settings.ids.contains(id) {
                    self.looks.ask(Look::Objects, now);
                }
            }
            Event::ObjectDeleted { id } => {
                if self.objects.is_ours(*id) {
                    self.lost.insert(*id);
                }
            }
            Event::DeviceSet { index, name, up } => self.device_set(*index, name, *up, now),
            Event::DeviceDeleted { index, name } => {
                if self.link.index() == Some(*index) || *name == self.settings.device {
                    self.set_link(Link::Gone, now);
                    self.looks.at(Look::Device, now);
                }
            }
            Event::Overrun => {
                self.notes.add(Kind::Other, "events were lost: looking at everything");
                self.counts.reconciles += 1;
                self.look_at_all(now);
            }
        }
    }

    fn route_set(&mut self, key: &RouteKey, protocol: u8, now: Moment) {
        if !self.tables.contains(&key.table) {
            return;
        }
        let ours = protocol == self.settings.protocol;
        let matters = match self.routes.find(key) {
            None => ours,
            Some(_) if ours => true,
            Some(id) if self.routes[id].actual != Actual::Absent => {
                // Ours may be gone, and a replacement would hit the other's: a look will tell.
                if self.troubles.conflict(id).is_none() {
                    self.troubles.note(id, Why::Taken, now);
                }
                true
            }
            Some(id) => self.troubles.conflict(id) != Some(protocol),
        };
        if matters {
            self.looks.ask(Look::Routes(key.table), now);
        }
    }

    fn route_deleted(&mut self, key: &RouteKey, protocol: u8, now: Moment) {
        let Some(id) = self.routes.find(key) else { return };
        if protocol != self.settings.protocol {
            if self.troubles.conflict(id).is_some() {
                self.end_conflict(id);
            }
        } else if self.routes[id].actual != Actual::Absent {
            self.set_actual(id, Actual::Absent);
            self.drift(id, now);
        }
    }

    fn device_set(&mut self, index: u32, name: &str, up: bool, now: Moment) {
        let known = self.link.index() == Some(index);
        let named = name == self.settings.device;
        if known && !up {
            // The kernel drops everything on it, mostly without a word.
            self.set_link(Link::Down { index }, now);
        }
        let same = known && named && up && matches!(self.link, Link::Up { .. });
        if (known || named) && !same {
            self.looks.at(Look::Device, now);
        }
    }

    /// The device is another one, or in another state: everything must be looked at before
    /// anything is done.
    pub(super) fn set_link(&mut self, link: Link, now: Moment) {
        if self.link == link {
            return;
        }
        let up = matches!(link, Link::Up { .. });
        let kind = if up { Kind::Up } else { Kind::Down };
        self.notes.add(kind, link.describe(&self.settings.device));
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

    /// Sees to objects that events say are deleted.
    pub(super) fn heal(&mut self, now: Moment) {
        if !self.lost.is_empty() {
            let lost = self.objects.lose(&std::mem::take(&mut self.lost));
            self.mend(&lost, now);
        }
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
                    self.drift(id, now);
                } else if lost.changed.contains(&object) {
                    self.drift(id, now);
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
    pub(super) fn drift(&mut self, id: u32, now: Moment) {
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
        let why = self.troubles.get(id).map(|trouble| &trouble.why);
        // Whoever has the key now, a look will tell, and then it is examined.
        let others = matches!(why, Some(Why::Conflict(_) | Why::Taken));
        if slot.dirty || !up || others {
            return;
        }
        self.counts.repairs += 1;
        let key = slot.key;
        self.notes.add(Kind::Repair, format_args!("{key} was changed by others"));
        if self.troubles.repair(id, now).is_none() {
            self.touch(id);
        }
    }

    /// A route that was in the way is gone.
    pub(super) fn end_conflict(&mut self, id: u32) {
        if self.troubles.conflict(id).is_some() {
            let key = self.routes[id].key;
            self.notes.add(Kind::Resolved, format_args!("{key}: no other route is in the way"));
        }
        self.troubles.clear(id);
        self.touch(id);
    }
}
