//! One VNI's routes as the servers have them.
//!
//! A route exists while at least one server has it. When the last session that provided it ends, the route becomes
//! *stale* and stays for a while (as in RFC 4724): a server that restarts must not empty the dataplane. Stale routes
//! are removed by these rules:
//!
//! * A server in sync that never went away knows all routes: a stale route that it lacks is removed as soon as no other
//!   table is on its way.
//! * A server that came back may have lost everything, and is in sync before the announcers have come back to it. So it
//!   is *doubted* for [`RETURN`]: until then it does not matter which routes it lacks.
//! * In the first session with a server, this leaf may have started together with the server, over a dataplane that has
//!   routes from before. So the server is doubted for [`RETURN`] from the start of the session, unless it says that it
//!   has served for that long. A server that does not say when its table is complete is doubted for as long.
//! * Without any server, stale routes stay for the stale time; if a server that came back is doubted, until the doubt
//!   is over, but at most for twice the stale time.
//! * Another next hop of the same kind replaces a stale one as soon as a server in sync announces it, because traffic
//!   to the stale one may be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use super::digests::Digests;
use super::room::Room;
use super::route_key::{RibKey, of_network, takes_the_place};
use super::waiting::Waiting;
use super::{ServerSlot, Servers};
use crate::client::Route;
use crate::ids::{Level, Moment};
use crate::wire::{Action, Destination, NextHop, NextHopType, Vni};

/// How long announcers have to connect to a server that began or came back: a little more than the longest pause
/// between two attempts to connect.
pub(super) const RETURN: Duration = Duration::from_secs(35);

/// Routes that became visible (added) or ceased to be (removed).
pub(super) type Changes = Vec<(Action, Destination, NextHop)>;

/// The servers that have a route, and since when the route is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HeldRoute {
    /// Empty when the route is stale.
    pub(super) servers: Servers,
    pub(super) since: Moment,
}

/// Sorted by kind: stale next hops that one new next hop may replace stand together.
type StaleKey = (Destination, NextHopType, NextHop);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct AdjRibIn {
    routes: BTreeMap<RibKey, HeldRoute>,
    /// Since when each stale route is stale.
    stale: BTreeMap<StaleKey, Moment>,
    /// A moment no later than the oldest in `stale`.
    oldest: Option<Moment>,
    stale_time: Duration,
    /// The most stale routes kept; further ones are dropped at once.
    stale_max: usize,
    /// Servers that have sent their whole table.
    in_sync: Servers,
    /// Servers that had a session since they were configured.
    returning: Servers,
    /// Servers in sync that may not have all routes yet, and until when the leaf doubts them.
    doubted: BTreeMap<ServerSlot, Moment>,
    /// Whether a trusted server has sent its whole table once, or the leaf has given up waiting.
    complete: bool,
    /// When the leaf gives up waiting for a trusted server.
    give_up: Moment,
    /// When time alone may change something.
    check: Option<Moment>,
    /// Routes that wait for room under a limit.
    pub(super) waiting: Waiting,
    /// How near the number of routes is to the VNI's limit.
    pub(super) level: Level,
    /// Stale routes dropped since the last query.
    pub(super) dropped: Dropped,
    /// A digest of each server's routes, waiting routes excluded.
    pub(super) digests: Digests,
}

/// Numbers of stale routes dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::client) struct Dropped {
    /// Because the stale time was over.
    pub(in crate::client) expired: usize,
    /// Because servers that know all routes do not have them.
    pub(in crate::client) unknown: usize,
}

impl AdjRibIn {
    /// The table of a newly subscribed VNI.
    pub(super) fn new(now: Moment, stale_time: Duration, stale_max: usize) -> Self {
        Self {
            routes: BTreeMap::new(),
            stale: BTreeMap::new(),
            oldest: None,
            stale_time,
            stale_max,
            in_sync: Servers::default(),
            returning: Servers::default(),
            doubted: BTreeMap::new(),
            complete: false,
            give_up: now + stale_time,
            check: Some(now + stale_time),
            waiting: Waiting::default(),
            level: Level::default(),
            dropped: Dropped::default(),
            digests: Digests::default(),
        }
    }

    /// All routes, stale ones included, in order.
    pub(super) fn routes(&self) -> impl Iterator<Item = (Destination, NextHop)> {
        self.routes.keys().copied()
    }

    /// The next hops of one destination, in order.
    pub(super) fn next_hops(&self, destination: Destination) -> impl Iterator<Item = NextHop> {
        self.of(destination).map(|(next_hop, _)| next_hop)
    }

    /// The routes to the network of a destination, whatever their host bits, in order.
    pub(super) fn of_network(&self, destination: Destination) -> impl Iterator<Item = RibKey> {
        self.routes.range(of_network(destination)).map(|(key, _)| *key)
    }

    /// Since when a route is stale, if it is.
    pub(super) fn stale_since(&self, (destination, next_hop): RibKey) -> Option<Moment> {
        self.stale.get(&(destination, next_hop.kind(), next_hop)).copied()
    }

    fn of(&self, destination: Destination) -> impl Iterator<Item = (NextHop, Servers)> {
        let from = Bound::Included((destination, NextHop::FIRST));
        let rest = self.routes.range((from, Bound::Unbounded));
        rest.take_while(move |((found, _), _)| *found == destination)
            .map(|((_, next_hop), held)| (*next_hop, held.servers))
    }

    /// Some of the routes with the servers that have each, in order.
    pub(super) fn between(
        &self,
        keys: (Bound<RibKey>, Bound<RibKey>),
    ) -> impl Iterator<Item = (RibKey, HeldRoute)> {
        self.routes.range(keys).map(|(key, held)| (*key, *held))
    }

    /// How many routes there are, and how many of them are stale.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.routes.len(), self.stale.len())
    }

    /// Whether some routes are stale.
    pub(super) fn has_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    pub(super) fn in_sync(&self) -> Servers {
        self.in_sync
    }

    /// How many routes `slot` has. Walks all routes.
    pub(super) fn count(&self, slot: ServerSlot) -> usize {
        let there = self.routes.values().filter(|held| held.servers.contains(slot)).count();
        there + self.waiting.count_of(slot)
    }

    /// How many routes there are.
    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether a trusted server has sent its whole table once, or the leaf has given up waiting.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn is_in_sync(&self, slot: ServerSlot) -> bool {
        self.in_sync.contains(slot)
    }

    /// When [`Self::expire`] is due, or a little earlier.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.check
    }

    /// `slot` announces a route; `false` when it had announced the route already, or when there is no room for it: then
    /// the route waits or is only counted.
    pub(super) fn add(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        destination: Destination,
        next_hop: NextHop,
        room: &Room,
        changes: &mut Changes,
    ) -> bool {
        let key = (destination, next_hop);
        if let Some(is_new) = self.waiting.announce(slot, &key) {
            return is_new;
        }
        if !room.has_room(self.routes.len()) && !self.routes.contains_key(&key) {
            if !self.takes_stale_place(slot, &key) {
                return self.waiting.add(slot, key, room.remembers());
            }
            self.replace(destination, &next_hop, changes);
        }
        let mut is_new = false;
        let held = self.routes.entry((destination, next_hop)).or_insert_with(|| {
            is_new = true;
            HeldRoute { servers: Servers::default(), since: now }
        });
        let servers = &mut held.servers;
        if servers.contains(slot) {
            return false;
        }
        if is_new {
            changes.push((Action::Add, destination, next_hop));
        } else if servers.is_empty() {
            self.stale.remove(&(destination, next_hop.kind(), next_hop));
        }
        servers.insert(slot);
        self.digests.add(slot, &key);
        if !self.stale.is_empty() && self.in_sync.contains(slot) {
            self.replace(destination, &next_hop, changes);
        }
        true
    }

    /// `slot` withdraws a route; `false` when it did not have it.
    pub(super) fn remove(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        destination: Destination,
        next_hop: NextHop,
        changes: &mut Changes,
    ) -> bool {
        let key = (destination, next_hop);
        let Some(held) = self.routes.get_mut(&key) else {
            return self.waiting.remove(slot, &key);
        };
        if !held.servers.remove(slot) {
            return false;
        }
        let is_last = held.servers.is_empty();
        self.digests.remove(slot, &key);
        if is_last {
            self.routes.remove(&key);
            changes.push((Action::Remove, destination, next_hop));
            // An announcer that announces the new next hop before it withdraws the old one does not lose the new one.
            if let Some(waiting) = self.waiting.take_of(destination) {
                self.admit(now, waiting, changes);
            }
        }
        true
    }

    /// Takes in one waiting route; `false` when none waits.
    pub(super) fn admit_one(&mut self, now: Moment, changes: &mut Changes) -> bool {
        let Some(waiting) = self.waiting.take() else { return false };
        self.admit(now, waiting, changes);
        true
    }

    fn admit(&mut self, now: Moment, (key, servers): (RibKey, Servers), changes: &mut Changes) {
        self.routes.insert(key, HeldRoute { servers, since: now });
        changes.push((Action::Add, key.0, key.1));
        for slot in servers.slots() {
            self.digests.add(slot, &key);
        }
    }

    /// Whether a route that `slot` announces takes the place of a stale one.
    fn takes_stale_place(&self, slot: ServerSlot, (destination, next_hop): &RibKey) -> bool {
        let kind = next_hop.kind();
        let from = Bound::Included((*destination, kind, NextHop::FIRST));
        let of_kind = self.stale.range((from, Bound::Unbounded)).map(|(key, _)| key);
        self.in_sync.contains(slot)
            && of_kind
                .take_while(|key| (key.0, key.1) == (*destination, kind))
                .any(|key| takes_the_place(next_hop, &key.2))
    }

    /// `slot` has sent its whole table, which counts as all routes from `trusted` on. `live` are the servers whose
    /// tables the leaf waits for. Returns whether the VNI became complete.
    pub(super) fn synced(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        trusted: Moment,
        live: Servers,
        changes: &mut Changes,
    ) -> bool {
        self.in_sync.insert(slot);
        let returned = if self.returning.contains(slot) { now + RETURN } else { now };
        // No route outlives the last server that had it for longer than the stale time.
        let until = trusted.max(returned).min(now + self.stale_time);
        if now < until {
            self.doubted.insert(slot, until);
        }
        self.replace_all(changes);
        self.settle(now, live, changes)
    }

    /// `slot` belongs to a newly configured server, which had no session before.
    pub(super) fn added(&mut self, slot: ServerSlot) {
        self.returning.remove(slot);
    }

    /// The session with `slot` has ended; with `forget`, routes that only `slot` had are removed at once. Returns
    /// whether the VNI became complete.
    pub(super) fn end(
        &mut self,
        now: Moment,
        slot: ServerSlot,
        live: Servers,
        forget: bool,
        changes: &mut Changes,
    ) -> bool {
        self.in_sync.remove(slot);
        self.doubted.remove(&slot);
        self.returning.insert(slot);
        self.waiting.end(slot);
        self.digests.end(slot);
        let keep = !forget && !self.stale_time.is_zero() && !self.is_known(now, live);
        let mut room = if keep { self.stale_max.saturating_sub(self.stale.len()) } else { 0 };
        self.routes.retain(|(destination, next_hop), held| {
            if !held.servers.remove(slot) || !held.servers.is_empty() {
                return true;
            }
            if room == 0 {
                changes.push((Action::Remove, *destination, *next_hop));
                return false;
            }
            room -= 1;
            self.stale.insert((*destination, next_hop.kind(), *next_hop), now);
            self.oldest.get_or_insert(now);
            true
        });
        self.settle(now, live, changes)
    }

    /// Drops stale routes if all routes are known by now. Returns whether the VNI became complete.
    pub(super) fn settle(&mut self, now: Moment, live: Servers, changes: &mut Changes) -> bool {
        let known = self.is_known(now, live);
        if known {
            self.dropped.unknown += self.drop_stale_if(|_| true, changes);
        }
        let complete = known && !std::mem::replace(&mut self.complete, true);
        self.schedule(now);
        complete
    }

    /// Does whatever is due at `now`. Returns whether the VNI became complete.
    pub(super) fn expire(&mut self, now: Moment, live: Servers, changes: &mut Changes) -> bool {
        if self.check.is_none_or(|check| now < check) {
            return false;
        }
        self.doubted.retain(|_, until| now < *until);
        let patience = self.patience(now);
        self.dropped.expired += self.drop_stale_if(|since| since + patience <= now, changes);
        let given_up = self.given_up(now) <= now;
        let complete = given_up && !std::mem::replace(&mut self.complete, true);
        self.settle(now, live, changes) || complete
    }

    /// Whether the leaf must know all routes: an undoubted server has sent its table, and every live server has
    /// sent its own.
    fn is_known(&self, now: Moment, live: Servers) -> bool {
        let mut certain = self.in_sync;
        for (slot, until) in &self.doubted {
            if now < *until {
                certain.remove(*slot);
            }
        }
        !certain.is_empty() && live.is_subset_of(self.in_sync)
    }

    fn is_doubting(&self, now: Moment) -> bool {
        self.doubted.values().any(|until| now < *until)
    }

    /// How long routes stay stale.
    fn patience(&self, now: Moment) -> Duration {
        if self.is_doubting(now) { self.stale_time.saturating_mul(2) } else { self.stale_time }
    }

    /// When the VNI counts as complete although no server has made it so.
    fn given_up(&self, now: Moment) -> Moment {
        if self.is_doubting(now) { self.give_up + self.stale_time } else { self.give_up }
    }

    fn schedule(&mut self, now: Moment) {
        self.check = None;
        if self.complete && self.stale.is_empty() {
            return;
        }
        let doubts = self.doubted.values().copied().filter(|until| now < *until);
        let stale = self.oldest.map(|oldest| oldest + self.patience(now));
        let complete = (!self.complete).then(|| self.given_up(now));
        self.check = doubts.chain(stale).chain(complete).min();
    }

    /// Returns the number of dropped routes.
    fn drop_stale_if(&mut self, goes: impl Fn(Moment) -> bool, changes: &mut Changes) -> usize {
        let (routes, before) = (&mut self.routes, self.stale.len());
        let mut oldest = None;
        self.stale.retain(|(destination, _, next_hop), since| {
            if !goes(*since) {
                oldest = Some(oldest.map_or(*since, |oldest: Moment| oldest.min(*since)));
                return true;
            }
            routes.remove(&(*destination, *next_hop));
            changes.push((Action::Remove, *destination, *next_hop));
            false
        });
        self.oldest = oldest;
        before - self.stale.len()
    }

    /// Drops the stale next hops of a destination that `new` replaces. A standard next hop replaces all stale standard
    /// ones, so each is looked at once.
    fn replace(&mut self, destination: Destination, new: &NextHop, changes: &mut Changes) {
        let kind = new.kind();
        if kind == NextHopType::LoadBalancerTarget {
            return;
        }
        let from = Bound::Included((destination, kind, NextHop::FIRST));
        let all = self.stale.range((from, Bound::Unbounded));
        let gone: Vec<StaleKey> = all
            .map(|(key, _)| *key)
            .take_while(|key| (key.0, key.1) == (destination, kind))
            .filter(|(_, _, old)| takes_the_place(new, old))
            .collect();
        self.drop_replaced(gone, changes);
    }

    /// The same for all destinations that have stale routes.
    fn replace_all(&mut self, changes: &mut Changes) {
        let destinations: BTreeSet<_> = self.stale.keys().map(|key| key.0).collect();
        let mut gone = Vec::new();
        for destination in destinations {
            let fresh = self.of(destination).filter(|(_, servers)| !servers.is_empty());
            let fresh = fresh.map(|(next_hop, _)| next_hop);
            // One standard next hop replaces as many stale ones as several do.
            let (standard, others): (Vec<_>, Vec<_>) =
                fresh.partition(|next_hop| next_hop.kind() == NextHopType::Standard);
            let new: Vec<_> = standard.into_iter().take(1).chain(others).collect();
            let from = Bound::Included((destination, NextHopType::Standard, NextHop::FIRST));
            let stale = self.stale.range((from, Bound::Unbounded)).map(|(key, _)| *key);
            gone.extend(
                stale
                    .take_while(|key| key.0 == destination)
                    .filter(|(_, _, old)| new.iter().any(|new| takes_the_place(new, old))),
            );
        }
        self.drop_replaced(gone, changes);
    }

    fn drop_replaced(&mut self, gone: Vec<StaleKey>, changes: &mut Changes) {
        for key in gone {
            self.stale.remove(&key);
            self.routes.remove(&(key.0, key.2));
            changes.push((Action::Remove, key.0, key.2));
        }
        if self.stale.is_empty() {
            self.oldest = None;
        }
    }
}

/// Adds the VNI to changes, which do not name it.
pub(super) fn of_vni(vni: Vni, changes: Changes) -> impl Iterator<Item = (Action, Route)> {
    changes
        .into_iter()
        .map(move |(action, destination, next_hop)| (action, Route { vni, destination, next_hop }))
}
