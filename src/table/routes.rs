//! The routes of one VNI: destinations, the routes of each, and who announces them.
//!
//! State: a slab of destinations indexed by prefix, a slab of routes chained per destination, and
//! per route its *primary* announcer, with further announcers (rare) beside it. The routes
//! of a primary announcer form a list through the routes themselves, so that a dead peer's routes
//! are found without a search. A route nobody announces stays as a *tombstone* while the journal
//! still mentions it. Resident cost: about 80 bytes a route with a destination of its own.

use ahash::{AHashMap, RandomState};
use smallvec::SmallVec;

use super::announcers::Announcers;
use super::apply::Announcement;
use super::index::Index;
use super::journal::View;
use super::next_hops::NextHops;
use super::slab::{NONE, Slab};
use crate::wire::{Destination, NextHop};

/// From this many routes a destination's chain is searched through `Routes::crowded`.
const CHAIN_MAX: u32 = 8;
/// Default routes that a dump begins with. Bits below the prefix length tell routes apart, so a peer
/// may announce any number of default routes; so many are looked at for every dump.
const FIRSTS_MAX: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Dest {
    pub(crate) destination: Destination,
    crowded: bool,
    /// Stamp of the newest journal entry of any of its routes.
    pub(crate) last: u32,
    first: u32,
    routes: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// `NONE` marks a free place.
    pub(crate) dest: u32,
    pub(crate) hop: u32,
    /// Neighbours in the destination's chain.
    next: u32,
    prev: u32,
    /// The announcer whose list this route is in; `NONE` for a tombstone.
    pub(crate) primary: u32,
    /// Neighbours in that announcer's list.
    pub(crate) list_next: u32,
    pub(crate) list_prev: u32,
    /// Stamp of this route's newest journal entry.
    pub(crate) changed: u32,
}

/// What a lookup has found. Holds until a route is freed; what was not there may have come meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    hash: u64,
    dest: u32,
    route: u32,
}

impl Default for Found {
    fn default() -> Self {
        Self { hash: 0, dest: NONE, route: NONE }
    }
}

impl Found {
    /// The hash of the destination.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The route, if it was there.
    pub(crate) fn route(&self) -> Option<u32> {
        (self.route != NONE).then_some(self.route)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Routes {
    dests: Slab<Dest>,
    routes: Slab<Route>,
    pub(crate) hops: NextHops,
    index: Index,
    crowded: AHashMap<(u32, u32), u32>,
    further: Announcers,
    /// Default routes that a dump begins with, tombstones included. A route is one of them for life.
    firsts: SmallVec<[u32; 4]>,
    announced: usize,
    hasher: RandomState,
}

impl Routes {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self {
            dests: Slab::new(),
            routes: Slab::new(),
            hops: NextHops::new(hasher.clone()),
            index: Index::new(),
            crowded: AHashMap::with_hasher(hasher.clone()),
            further: Announcers::new(hasher.clone()),
            firsts: SmallVec::new(),
            announced: 0,
            hasher,
        }
    }

    /// Routes that somebody announces.
    pub(crate) fn announced(&self) -> usize {
        self.announced
    }

    /// Routes held, tombstones included.
    pub(crate) fn held(&self) -> usize {
        self.routes.len()
    }

    /// One past the highest place a route has ever had.
    pub(crate) fn end(&self) -> u32 {
        self.routes.end()
    }

    /// One past the highest place a destination has ever had.
    pub(crate) fn dest_end(&self) -> u32 {
        self.dests.end()
    }

    pub(crate) fn route(&self, route: u32) -> &Route {
        &self.routes[route]
    }

    pub(crate) fn route_mut(&mut self, route: u32) -> &mut Route {
        &mut self.routes[route]
    }

    pub(crate) fn dest(&self, dest: u32) -> &Dest {
        &self.dests[dest]
    }

    pub(crate) fn dest_mut(&mut self, dest: u32) -> &mut Dest {
        &mut self.dests[dest]
    }

    pub(crate) fn destination_of(&self, route: u32) -> &Destination {
        &self.dests[self.routes[route].dest].destination
    }

    pub(crate) fn next_hop_of(&self, route: u32) -> &NextHop {
        self.hops.get(self.routes[route].hop)
    }

    /// The routes that a dump begins with, tombstones included: default routes (`/0`).
    pub(crate) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Whether a dump begins with this route.
    pub(crate) fn is_first(&self, route: u32) -> bool {
        self.destination_of(route).is_default() && self.firsts.contains(&route)
    }

    /// Looks up as many routes as there are. Each loop takes one step of every lookup, so that their
    /// waits for memory overlap. `found` has room for all.
    pub(crate) fn find_all(&mut self, updates: &[Announcement], found: &mut [Found]) {
        for (update, found) in updates.iter().zip(found.iter_mut()) {
            found.hash = self.hasher.hash_one(update.destination);
        }
        for (update, found) in updates.iter().zip(found.iter_mut()) {
            found.dest = self.find_dest(found.hash, &update.destination).unwrap_or(NONE);
        }
        for (update, found) in updates.iter().zip(found.iter_mut()) {
            found.route = NONE;
            if found.dest != NONE
                && let Some(hop) = self.hops.find(&update.next_hop)
            {
                found.route = self.in_chain(found.dest, hop).unwrap_or(NONE);
            }
        }
    }

    /// The route with this identity.
    pub(crate) fn find(&mut self, destination: &Destination, hop: &NextHop) -> Option<u32> {
        let hash = self.hasher.hash_one(destination);
        let dest = self.find_dest(hash, destination)?;
        let hop = self.hops.find(hop)?;
        self.in_chain(dest, hop)
    }

    /// The route with this identity, made as a tombstone if there is none. `hash` is what a lookup of
    /// the destination found; `fresh` is the stamp of a route or destination that has never changed.
    pub(crate) fn find_or_insert(
        &mut self,
        hash: u64,
        destination: &Destination,
        hop: &NextHop,
        fresh: u32,
    ) -> u32 {
        let dest = match self.find_dest(hash, destination) {
            Some(dest) => {
                if let Some(hop) = self.hops.find(hop)
                    && let Some(route) = self.in_chain(dest, hop)
                {
                    return route;
                }
                dest
            }
            None => self.insert_dest(hash, destination, fresh),
        };
        let hop = self.hops.acquire(hop);
        let next = self.dests[dest].first;
        let route = self.routes.insert(Route {
            dest,
            hop,
            next,
            prev: NONE,
            primary: NONE,
            list_next: NONE,
            list_prev: NONE,
            changed: fresh,
        });
        if next != NONE {
            self.routes[next].prev = route;
        }
        let entry = &mut self.dests[dest];
        entry.first = route;
        entry.routes += 1;
        if entry.crowded {
            self.crowded.insert((dest, hop), route);
        } else if entry.routes > CHAIN_MAX {
            entry.crowded = true;
            let mut at = route;
            while at != NONE {
                self.crowded.insert((dest, self.routes[at].hop), at);
                at = self.routes[at].next;
            }
        }
        if destination.is_default() && self.firsts.len() < FIRSTS_MAX {
            self.firsts.push(route);
        }
        route
    }

    /// Forgets a tombstone that the journal no longer mentions.
    pub(crate) fn free(&mut self, route: u32) {
        let Route { dest, hop, next, prev, primary, .. } = self.routes[route];
        debug_assert!(primary == NONE && dest != NONE, "only a tombstone is freed, and once");
        self.hops.release(hop);
        if next != NONE {
            self.routes[next].prev = prev;
        }
        if prev != NONE {
            self.routes[prev].next = next;
        }
        let entry = &mut self.dests[dest];
        if prev == NONE {
            entry.first = next;
        }
        entry.routes -= 1;
        if entry.crowded {
            self.crowded.remove(&(dest, hop));
        }
        if entry.destination.is_default() {
            self.firsts.retain(|r| *r != route);
        }
        if self.dests[dest].routes == 0 {
            let hash = self.hasher.hash_one(self.dests[dest].destination);
            self.index.remove(hash, dest);
            self.dests.remove(dest);
        }
        self.routes[route].dest = NONE;
        self.routes.remove(route);
    }

    /// Adds `member` to the announcers; `further` is where its list of routes begins that it announces
    /// beside another. `false` when it is one already.
    ///
    /// The caller links the route into the member's list when it becomes the primary announcer,
    /// which is the case exactly when the route was a tombstone.
    pub(crate) fn add_announcer(
        &mut self,
        route: u32,
        member: u32,
        is_server: bool,
        further: &mut u32,
    ) -> bool {
        let entry = &mut self.routes[route];
        if entry.primary == member {
            return false;
        }
        if entry.primary == NONE {
            entry.primary = member;
            self.announced += 1;
            return true;
        }
        self.further.add(route, member, !is_server, further)
    }

    /// Takes a member that is not the primary one from the announcers; `further` is where its list of
    /// such routes begins. `false` when it is none.
    pub(crate) fn remove_further(&mut self, route: u32, member: u32, further: &mut u32) -> bool {
        self.further.remove(route, member, further)
    }

    /// The primary announcer goes and another takes its place, or `NONE`.
    pub(crate) fn replace_primary(&mut self, route: u32, successor: u32) {
        self.routes[route].primary = successor;
        if successor == NONE {
            self.announced -= 1;
        }
    }

    /// Announcers beside the primary one.
    pub(super) fn further(&self) -> &Announcers {
        &self.further
    }

    /// What subscribers see of a route. Costs the same for any number of announcers.
    pub(crate) fn view(&self, route: u32, is_server: impl Fn(u32) -> bool) -> View {
        let primary = self.routes[route].primary;
        if primary == NONE {
            return View::NOBODY;
        }
        if self.further.count(route) == 0 {
            return View::sole(primary, is_server(primary));
        }
        View::many(!is_server(primary) || self.further.clients(route) > 0)
    }

    /// The routes of a destination, tombstones included, the newest first.
    pub(crate) fn chain(&self, destination: &Destination) -> impl Iterator<Item = u32> + '_ {
        let hash = self.hasher.hash_one(destination);
        let dest = self.find_dest(hash, destination);
        dest.into_iter().flat_map(|dest| self.of_dest(dest))
    }

    /// The same by a destination's place; none where the place is free.
    pub(crate) fn of_dest(&self, dest: u32) -> impl Iterator<Item = u32> + '_ {
        let Dest { first, routes, .. } = self.dests[dest];
        let first = if routes == 0 { NONE } else { first };
        let exists = |route: &u32| *route != NONE;
        std::iter::successors(Some(first).filter(exists), move |&route| {
            Some(self.routes[route].next).filter(exists)
        })
    }

    fn in_chain(&self, dest: u32, hop: u32) -> Option<u32> {
        let entry = &self.dests[dest];
        if entry.crowded {
            return self.crowded.get(&(dest, hop)).copied();
        }
        let mut at = entry.first;
        while at != NONE {
            if self.routes[at].hop == hop {
                return Some(at);
            }
            at = self.routes[at].next;
        }
        None
    }

    fn find_dest(&self, hash: u64, destination: &Destination) -> Option<u32> {
        self.index.find(hash, |dest| self.dests[dest].destination == *destination)
    }

    fn insert_dest(&mut self, hash: u64, destination: &Destination, fresh: u32) -> u32 {
        let dest = self.dests.insert(Dest {
            destination: *destination,
            crowded: false,
            last: fresh,
            first: NONE,
            routes: 0,
        });
        self.index.insert(hash, dest);
        dest
    }
}
