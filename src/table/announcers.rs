//! Announcers beside the primary one, of the routes that have several.
//!
//! State: a place for each route and member, in two lists: that of the route, the oldest first, and that
//! of the member, the newest first. An index finds a place by route and member. Adding, removing and
//! counting cost the same however many announcers a route has and however many routes a member shares:
//! peers choose both numbers. Resident cost: about 40 bytes for each of them.

use ahash::{AHashMap, RandomState};

use super::rib::Index;
use super::slab::{NONE, Slab};

#[derive(Clone, Copy, Debug)]
struct Place {
    route: u32,
    member: u32,
    is_client: bool,
    /// Neighbours in the route's list.
    older: u32,
    newer: u32,
    /// Neighbours in the member's list.
    next: u32,
    prev: u32,
}

/// The further announcers of one route; there is at least one.
#[derive(Clone, Copy, Debug)]
struct Group {
    oldest: u32,
    newest: u32,
    count: u32,
    /// Those that are no servers.
    clients: u32,
}

impl Default for Group {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE, count: 0, clients: 0 }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Announcers {
    places: Slab<Place>,
    index: Index,
    groups: AHashMap<u32, Group>,
    hasher: RandomState,
}

impl Announcers {
    pub(super) fn new(hasher: RandomState) -> Self {
        let groups = AHashMap::with_hasher(hasher.clone());
        Self { places: Slab::new(), index: Index::new(), groups, hasher }
    }

    /// How many further announcers a route has.
    #[inline]
    pub(super) fn count(&self, route: u32) -> u32 {
        // Most tables have no route with two announcers.
        if self.groups.is_empty() {
            return 0;
        }
        self.groups.get(&route).map_or(0, |group| group.count)
    }

    /// How many of them are no servers.
    pub(super) fn clients(&self, route: u32) -> u32 {
        self.groups.get(&route).map_or(0, |group| group.clients)
    }

    /// Whether a member is one of them.
    pub(super) fn contains(&self, route: u32, member: u32) -> bool {
        self.count(route) > 0 && self.find(route, member).is_some()
    }

    /// The members, the oldest announcer first.
    pub(super) fn of(&self, route: u32) -> impl Iterator<Item = u32> + '_ {
        let exists = |place: &u32| *place != NONE;
        let oldest = self.groups.get(&route).map(|group| group.oldest);
        let places = std::iter::successors(oldest, move |&place| {
            Some(self.places[place].newer).filter(exists)
        });
        places.map(|place| self.places[place].member)
    }

    /// Adds a member, whose list begins at `first`. `false` when it is there.
    pub(super) fn add(
        &mut self,
        route: u32,
        member: u32,
        is_client: bool,
        first: &mut u32,
    ) -> bool {
        if self.contains(route, member) {
            return false;
        }
        let group = self.groups.entry(route).or_default();
        let older = group.newest;
        let next = *first;
        let (newer, prev) = (NONE, NONE);
        let place =
            self.places.insert(Place { route, member, is_client, older, newer, next, prev });
        group.newest = place;
        group.count += 1;
        group.clients += u32::from(is_client);
        if older == NONE {
            group.oldest = place;
        } else {
            self.places[older].newer = place;
        }
        if next != NONE {
            self.places[next].prev = place;
        }
        *first = place;
        self.index.insert(self.hash(route, member), place);
        true
    }

    /// Takes out a member, whose list begins at `first`. `false` when it is not there.
    pub(super) fn remove(&mut self, route: u32, member: u32, first: &mut u32) -> bool {
        if self.count(route) == 0 {
            return false;
        }
        let Some(place) = self.find(route, member) else { return false };
        let Place { is_client, older, newer, next, prev, .. } = self.places[place];
        self.index.remove(self.hash(route, member), place);
        if older != NONE {
            self.places[older].newer = newer;
        }
        if newer != NONE {
            self.places[newer].older = older;
        }
        if next != NONE {
            self.places[next].prev = prev;
        }
        if prev == NONE {
            *first = next;
        } else {
            self.places[prev].next = next;
        }
        self.places.remove(place);
        let group = self.groups.entry(route).or_default();
        group.count -= 1;
        group.clients -= u32::from(is_client);
        if older == NONE {
            group.oldest = newer;
        }
        if newer == NONE {
            group.newest = older;
        }
        if group.count == 0 {
            self.groups.remove(&route);
        }
        true
    }

    /// The member that has announced a route for the longest time, without the primary announcer.
    pub(super) fn oldest(&self, route: u32) -> Option<u32> {
        self.groups.get(&route).map(|group| self.places[group.oldest].member)
    }

    /// The route of a place, which a member's list begins with.
    pub(super) fn route_of(&self, place: u32) -> u32 {
        self.places[place].route
    }

    fn find(&self, route: u32, member: u32) -> Option<u32> {
        self.index.find(self.hash(route, member), |place| {
            let place = &self.places[place];
            place.route == route && place.member == member
        })
    }

    fn hash(&self, route: u32, member: u32) -> u64 {
        self.hasher.hash_one((route, member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_leave_in_any_order_and_the_oldest_is_known() {
        let mut announcers = Announcers::new(RandomState::with_seeds(1, 2, 3, 4));
        let mut lists = [NONE; 5];
        for member in [2, 0, 4, 1, 3] {
            let first = &mut lists[member as usize];
            assert!(announcers.add(7, member, member % 2 == 0, first));
            assert!(announcers.add(8, member, true, first));
            assert!(!announcers.add(7, member, true, first), "it is there");
        }
        assert_eq!(announcers.of(7).collect::<Vec<_>>(), [2, 0, 4, 1, 3]);
        assert_eq!((announcers.count(7), announcers.clients(7)), (5, 3));
        for (member, oldest) in [(4, Some(2)), (2, Some(0)), (3, Some(0)), (0, Some(1)), (1, None)]
        {
            let first = &mut lists[member as usize];
            assert_eq!(announcers.route_of(*first), 8, "the newest comes first");
            assert!(announcers.remove(7, member, first));
            assert!(!announcers.remove(7, member, first));
            assert_eq!(announcers.oldest(7), oldest);
            assert!(announcers.contains(8, member));
        }
        assert_eq!((announcers.count(7), announcers.clients(7)), (0, 0));
        for (member, first) in (0..).zip(&mut lists) {
            assert!(announcers.remove(8, member, first));
            assert_eq!(*first, NONE);
        }
        assert!(announcers.groups.is_empty() && announcers.places.len() == 0);
    }
}
