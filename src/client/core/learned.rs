//! One VNI's routes as the servers have them.
//!
//! A route is there while at least one server has it. When the session with the last of them ends,
//! it becomes *stale* and stays for the stale time (as in RFC 4724): a server that restarts must
//! not empty the dataplane. How stale routes go:
//!
//! * A server says so: at once.
//! * At least one server is in sync throughout: what only the others had goes when all that are
//!   connected are in sync.
//! * No server was left: a server that comes back may have lost everything, and is in sync before
//!   the announcers have come back to it. So what is not announced again stays for its stale time,
//!   and at least [`RETURN`] after the servers are back (but no more than twice its stale time);
//!   except where another next hop of the same kind takes its place.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use super::{Servers, Slot};
use crate::client::Route;
use crate::ids::Moment;
use crate::wire::{Action, Destination, NextHop, NextHopType, Vni};

/// How long announcers are given to come back to a server that restarted: the longest pause between
/// two attempts to connect, and a little.
const RETURN: Duration = Duration::from_secs(35);

/// What became visible or ceased to be.
pub(super) type Changes = Vec<(Action, Destination, NextHop)>;

#[derive(Debug)]
struct Held {
    servers: Servers,
    /// When the last server was lost; means nothing while there is one.
    stale: Moment,
}

impl Held {
    fn is_stale(&self) -> bool {
        self.servers.is_empty()
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Learned {
    routes: BTreeMap<(Destination, NextHop), Held>,
    stale_time: Duration,
    /// Servers whose whole table has come.
    in_sync: Servers,
    /// Whether the routes were all there were at least once, or nothing more is waited for.
    complete: bool,
    /// No server was left at some time since, and there may be routes from before.
    lost: bool,
    /// When all servers that are connected had become in sync last.
    settled: Option<Moment>,
    /// When to look for routes that have been stale for too long.
    check: Option<Moment>,
}

impl Learned {
    /// A VNI that is now subscribed to.
    pub(super) fn new(now: Moment, stale_time: Duration) -> Self {
        Self {
            routes: BTreeMap::new(),
            stale_time,
            in_sync: Servers::default(),
            complete: false,
            lost: false,
            settled: None,
            check: Some(now + stale_time),
        }
    }

    /// All routes, stale ones included, in order.
    pub(super) fn routes(&self) -> impl Iterator<Item = (Destination, NextHop)> {
        self.routes.keys().copied()
    }

    /// The next hops of one destination, in order.
    pub(super) fn next_hops(&self, destination: Destination) -> impl Iterator<Item = NextHop> {
        let from = Bound::Included((destination, NextHop::FIRST));
        let rest = self.routes.range((from, Bound::Unbounded));
        rest.map(|(key, _)| *key)
            .take_while(move |(found, _)| *found == destination)
            .map(|(_, next_hop)| next_hop)
    }

    /// How many routes `slot` has. Walks all.
    pub(super) fn count(&self, slot: Slot) -> usize {
        self.routes.values().filter(|held| held.servers.contains(slot)).count()
    }

    pub(super) fn is_in_sync(&self, slot: Slot) -> bool {
        self.in_sync.contains(slot)
    }

    /// When [`Self::expire`] is due.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.check
    }

    /// `slot` announces a route; `false` when it had announced it already.
    pub(super) fn add(
        &mut self,
        slot: Slot,
        destination: Destination,
        next_hop: NextHop,
        changes: &mut Changes,
    ) -> bool {
        let mut is_new = false;
        let held = self.routes.entry((destination, next_hop)).or_insert_with(|| {
            is_new = true;
            Held { servers: Servers::default(), stale: Moment::default() }
        });
        if held.servers.contains(slot) {
            return false;
        }
        held.servers.insert(slot);
        if is_new {
            changes.push((Action::Add, destination, next_hop));
        }
        if self.lost && self.in_sync.contains(slot) {
            self.replace_stale(destination, changes);
        }
        true
    }

    /// `slot` withdraws a route; `false` when it did not have it.
    pub(super) fn remove(
        &mut self,
        slot: Slot,
        destination: Destination,
        next_hop: NextHop,
        changes: &mut Changes,
    ) -> bool {
        let key = (destination, next_hop);
        let Some(held) = self.routes.get_mut(&key) else { return false };
        if !held.servers.remove(slot) {
            return false;
        }
        if held.is_stale() {
            self.routes.remove(&key);
            changes.push((Action::Remove, destination, next_hop));
        }
        true
    }

    /// The table of `slot` has come whole. `live` are the servers whose tables are waited for.
    /// Returns whether the VNI became complete.
    pub(super) fn synced(
        &mut self,
        now: Moment,
        slot: Slot,
        live: Servers,
        changes: &mut Changes,
    ) -> bool {
        self.in_sync.insert(slot);
        if self.lost {
            for destination in self.destinations_with_stale() {
                self.replace_stale(destination, changes);
            }
        }
        self.settle(now, live, changes)
    }

    /// The session with `slot` has ended. Returns whether the VNI became complete.
    pub(super) fn end(
        &mut self,
        now: Moment,
        slot: Slot,
        live: Servers,
        changes: &mut Changes,
    ) -> bool {
        let was_in_sync = self.in_sync.remove(slot);
        if was_in_sync && self.in_sync.is_empty() {
            (self.lost, self.settled) = (true, None);
        }
        let keep = !self.stale_time.is_zero() && (self.lost || !self.is_settled(live));
        let mut any_stale = false;
        self.routes.retain(|(destination, next_hop), held| {
            if !held.servers.remove(slot) || !held.is_stale() {
                return true;
            }
            held.stale = now;
            any_stale = true;
            if !keep {
                changes.push((Action::Remove, *destination, *next_hop));
            }
            keep
        });
        if any_stale && keep {
            let until = now + self.stale_time;
            self.check = Some(self.check.map_or(until, |check| check.min(until)));
        }
        self.settle(now, live, changes)
    }

    /// Looks whether nothing more is waited for; see [`Self::synced`].
    pub(super) fn settle(&mut self, now: Moment, live: Servers, changes: &mut Changes) -> bool {
        if !self.is_settled(live) {
            return false;
        }
        let complete = !std::mem::replace(&mut self.complete, true);
        if self.lost {
            self.settled.get_or_insert(now);
            self.expire_stale(now, changes);
        } else if complete || self.check.is_some() {
            self.sweep(changes);
        }
        complete
    }

    /// Drops what has been stale for too long. Returns whether the VNI became complete: it is no
    /// longer waited for.
    pub(super) fn expire(&mut self, now: Moment, changes: &mut Changes) -> bool {
        if self.check.is_none_or(|check| now < check) {
            return false;
        }
        self.expire_stale(now, changes);
        !std::mem::replace(&mut self.complete, true)
    }

    /// Whether a server's whole table is there and no other's is on its way.
    fn is_settled(&self, live: Servers) -> bool {
        !self.in_sync.is_empty() && live.is_subset_of(self.in_sync)
    }

    /// Drops everything stale.
    fn sweep(&mut self, changes: &mut Changes) {
        (self.lost, self.check) = (false, None);
        self.drop_stale_if(|_| true, changes);
    }

    fn expire_stale(&mut self, now: Moment, changes: &mut Changes) {
        let (stale_time, settled) = (self.stale_time, self.settled);
        let until = |held: &Held| {
            let until = held.stale + stale_time;
            let returned = settled.map_or(until, |settled| settled + RETURN.min(stale_time));
            until.max(returned.min(until + stale_time))
        };
        self.drop_stale_if(|held| until(held) <= now, changes);
        self.check = self.routes.values().filter(|held| held.is_stale()).map(until).min();
        if self.check.is_none() && !self.in_sync.is_empty() {
            self.lost = false;
        }
    }

    fn drop_stale_if(&mut self, goes: impl Fn(&Held) -> bool, changes: &mut Changes) {
        self.routes.retain(|(destination, next_hop), held| {
            let goes = held.is_stale() && goes(held);
            if goes {
                changes.push((Action::Remove, *destination, *next_hop));
            }
            !goes
        });
    }

    fn destinations_with_stale(&self) -> Vec<Destination> {
        let stale = self.routes.iter().filter(|(_, held)| held.is_stale());
        let mut destinations: Vec<_> = stale.map(|((destination, _), _)| *destination).collect();
        destinations.dedup();
        destinations
    }

    /// Drops the stale next hops of a destination in whose place others have come.
    fn replace_stale(&mut self, destination: Destination, changes: &mut Changes) {
        let (mut stale, mut fresh) = (Vec::new(), Vec::new());
        for next_hop in self.next_hops(destination) {
            match self.routes.get(&(destination, next_hop)) {
                Some(held) if held.is_stale() => stale.push(next_hop),
                _ => fresh.push(next_hop),
            }
        }
        for old in stale {
            if fresh.iter().any(|new| takes_the_place(new, &old)) {
                self.routes.remove(&(destination, old));
                changes.push((Action::Remove, destination, old));
            }
        }
    }
}

/// Whether `new` makes `old` pointless: traffic to the latter may be lost, and needs it no more.
/// Targets of a load balancer stand beside each other.
fn takes_the_place(new: &NextHop, old: &NextHop) -> bool {
    match (new.kind(), old.kind()) {
        (NextHopType::Standard, NextHopType::Standard) => true,
        (NextHopType::Nat, NextHopType::Nat) => {
            let ((new_from, new_to), (old_from, old_to)) = (new.nat_ports(), old.nat_ports());
            new_from <= old_to && old_from <= new_to
        }
        _ => false,
    }
}

/// The VNI that changes belong to is the caller's to know.
pub(super) fn of_vni(vni: Vni, changes: Changes) -> impl Iterator<Item = (Action, Route)> {
    changes
        .into_iter()
        .map(move |(action, destination, next_hop)| (action, Route { vni, destination, next_hop }))
}
