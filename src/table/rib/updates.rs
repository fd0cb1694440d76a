//! Looking up the routes of updates, and making those that are not there.

use super::entry::{Entry, EntryState};
use super::hops::PLAIN;
use super::index::{First, SlotAddress};
use super::{FEW, FIRSTS_MAX, Further, Group, LocRib, to_place};
use crate::table::slab::NONE;
use crate::wire::{Action, Destination, NextHop};

/// The number of updates that are looked up together. More would exceed the lookups that a core can have under way, and
/// would leave its nearest cache before they are carried out.
pub(crate) const TOGETHER: usize = 32;

/// An update of one route of a VNI by a publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    pub(crate) action: Action,
    pub(crate) destination: Destination,
    pub(crate) next_hop: NextHop,
}

/// The result of an update's lookup. It holds until a route is freed; a route that was not there may have come
/// meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    hash: u64,
    route: u32,
}

impl Found {
    /// The hash of the destination.
    pub(crate) fn hash(self) -> u64 {
        self.hash
    }

    /// The route, if it was there.
    #[inline]
    pub(crate) fn route(self) -> Option<u32> {
        (self.route != NONE).then_some(self.route)
    }
}

/// The results of the lookups of several updates.
#[derive(Debug)]
pub(crate) struct Lookup {
    hashes: [u64; TOGETHER],
    routes: [u32; TOGETHER],
}

impl Lookup {
    pub(crate) fn new() -> Self {
        Self { hashes: [0; TOGETHER], routes: [NONE; TOGETHER] }
    }

    /// The result for each.
    #[inline]
    pub(crate) fn found(&self) -> impl Iterator<Item = Found> + '_ {
        let found = self.hashes.iter().zip(&self.routes);
        found.map(|(&hash, &route)| Found { hash, route })
    }
}

impl LocRib {
    /// Looks up the routes of at most [`TOGETHER`] updates. Each loop takes one step of every lookup, so
    /// that their waits for memory overlap. Loops that fetch only fetch: if a branch depends on bytes that memory has
    /// yet to bring, the processor guesses, and a wrong guess ends the overlap.
    #[inline(never)]
    pub(crate) fn find_all(&self, updates: &[Announcement], lookup: &mut Lookup) {
        let mut places = [SlotAddress::default(); TOGETHER];
        let mut firsts = [First::NONE; TOGETHER];
        let Lookup { hashes, routes } = lookup;
        for (update, (hash, place)) in updates.iter().zip(hashes.iter_mut().zip(&mut places)) {
            *hash = self.destination_hash.of(&update.destination);
            *place = self.index.place(*hash);
        }
        for (first, &place) in firsts.iter_mut().zip(&places).take(updates.len()) {
            *first = self.index.first(place);
        }
        let found = hashes.iter().zip(places.iter().zip(&firsts)).zip(routes.iter_mut());
        for ((&hash, (&place, &first)), route) in found.take(updates.len()) {
            *route = self.index.candidate(hash, place, first).unwrap_or(NONE);
        }
        let touched = routes.iter().take(updates.len()).fold(0, |touched, &route| {
            touched ^ self.entries.get(route).map_or(0, |entry| entry.changed)
        });
        std::hint::black_box(touched);
        let places = hashes.iter().zip(routes.iter_mut());
        for (update, (hash, route)) in updates.iter().zip(places) {
            if *route != NONE && !self.is_route(*route, update) {
                *route = self.find_other(*hash, update);
            }
        }
    }

    /// Looks up a route when another destination has the same half of the hash, or this one has several routes.
    #[cold]
    fn find_other(&self, hash: u64, update: &Announcement) -> u32 {
        let Announcement { destination, next_hop, .. } = update;
        self.find_hashed(hash, destination, next_hop).unwrap_or(NONE)
    }

    /// The hash of a destination in this table.
    pub(crate) fn hash_of(&self, destination: &Destination) -> u64 {
        self.destination_hash.of(destination)
    }

    /// The route with this identity.
    pub(crate) fn find(&self, destination: &Destination, hop: &NextHop) -> Option<u32> {
        self.find_hashed(self.destination_hash.of(destination), destination, hop)
    }

    /// Looks up one route.
    pub(crate) fn find_one(&self, destination: &Destination, hop: &NextHop) -> Found {
        let hash = self.destination_hash.of(destination);
        let route = self.find_hashed(hash, destination, hop).unwrap_or(NONE);
        Found { hash, route }
    }

    /// The route with this identity, made as a tombstone if there is none. `None` when its destination
    /// has the largest allowed number of next hops. `hash` is the destination's hash, from its lookup; `fresh` is
    /// the stamp of a route that has never changed.
    #[inline(never)]
    pub(crate) fn find_or_insert(
        &mut self,
        hash: u64,
        destination: &Destination,
        hop: &NextHop,
        fresh: u32,
    ) -> Option<u32> {
        let other = self.find_destination(hash, destination);
        let route = other.and_then(|other| self.find_beside(other, hop));
        if let Some(route) = route.filter(|&route| self.entries[route].state == EntryState::Held) {
            return Some(route);
        }
        // A route that is made here and not announced would never be freed: the journal does not know it.
        if other.is_some_and(|other| self.is_full(other)) {
            return None;
        }
        if let Some(route) = route {
            let entry = &mut self.entries[route];
            (entry.state, entry.changed) = (EntryState::Held, fresh);
            self.note_first(destination, route);
            return Some(route);
        }
        let (hop_version, hop_address, fields) = hop.parts();
        let route = self.entries.insert(Entry {
            destination: *destination,
            hop_version,
            state: EntryState::Held,
            hop_address,
            hop_fields: self.hops.acquire(&fields),
            group: NONE,
            further: Further::default(),
            lister: NONE,
            list_next: NONE,
            list_prev: NONE,
            changed: fresh,
        });
        match other {
            None => self.index.insert(hash, route),
            Some(other) => self.join_group(route, other),
        }
        self.note_first(destination, route);
        Some(route)
    }

    /// Whether no further route of a route's destination may be announced.
    fn is_full(&self, route: u32) -> bool {
        let entry = &self.entries[route];
        let announced = match entry.group {
            NONE => u32::from(entry.is_announced()),
            group => self.groups[group].announced,
        };
        announced >= self.next_hops
    }

    /// A route of this destination: its only one, or the mark of its group.
    #[inline]
    pub(super) fn find_destination(&self, hash: u64, destination: &Destination) -> Option<u32> {
        self.index.find(hash, |route| self.entries[route].destination == *destination)
    }

    fn find_hashed(&self, hash: u64, destination: &Destination, hop: &NextHop) -> Option<u32> {
        let other = self.find_destination(hash, destination)?;
        let route = self.find_beside(other, hop)?;
        (self.entries[route].state == EntryState::Held).then_some(route)
    }

    /// The route with a next hop that has the destination of another route.
    fn find_beside(&self, other: u32, hop: &NextHop) -> Option<u32> {
        let entry = &self.entries[other];
        if entry.group == NONE {
            return self.has_hop(other, hop).then_some(other);
        }
        let group = &self.groups[entry.group];
        if !group.is_indexed {
            return group.routes.iter().copied().find(|&route| self.has_hop(route, hop));
        }
        let hash = self.hash_in_group(entry.group, hop);
        let at = |place: u32| group.routes.get(place as usize).copied();
        let is = |place| at(place).is_some_and(|route| self.has_hop(route, hop));
        self.crowded.find(hash, is).and_then(at)
    }

    /// Whether a place holds the route of an update.
    #[inline]
    fn is_route(&self, route: u32, update: &Announcement) -> bool {
        let entry = &self.entries[route];
        // An update brings a mark back by inserting it.
        entry.destination == update.destination
            && entry.state == EntryState::Held
            && self.is_hop(entry, &update.next_hop)
    }

    #[inline]
    fn has_hop(&self, route: u32, hop: &NextHop) -> bool {
        self.is_hop(&self.entries[route], hop)
    }

    #[inline]
    fn is_hop(&self, entry: &Entry, hop: &NextHop) -> bool {
        let (version, address, fields) = hop.parts();
        let is_address = entry.hop_address == address && entry.hop_version == version;
        is_address
            && match entry.hop_fields {
                PLAIN => fields.is_plain(),
                number => self.hops.get(number) == fields,
            }
    }

    /// Puts a route into the group of another route of its destination, which may have no group yet.
    fn join_group(&mut self, route: u32, other: u32) {
        if self.entries[other].group == NONE {
            let Entry { changed, .. } = self.entries[other];
            let group = Group::of(other, changed, self.entries[other].is_announced());
            self.entries[other].group = self.groups.insert(group);
        }
        let number = self.entries[other].group;
        let group = &mut self.groups[number];
        let place = to_place(group.routes.len());
        group.routes.push(route);
        self.entries[route].group = number;
        let added = if group.is_indexed {
            place..place + 1
        } else if group.routes.len() > FEW {
            group.is_indexed = true;
            0..place + 1
        } else {
            return;
        };
        for place in added {
            let route = self.groups[number].routes[place as usize];
            let hash = self.hash_in_group(number, &self.next_hop_of(route));
            self.crowded.insert(hash, place);
        }
    }

    fn note_first(&mut self, destination: &Destination, route: u32) {
        if destination.is_default() && self.firsts.len() < FIRSTS_MAX {
            self.firsts.push(route);
        }
    }
}
