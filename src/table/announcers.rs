//! Announcers beside the primary one, of the routes that have several.
//!
//! State: a place of 24 bytes for each route and member, in two lists: that of the route, the oldest first,
//! and that of the member, the newest first. A route keeps one number: where its list begins, or, when many
//! announce it, the number of a [`Crowd`], whose places an index finds. Adding, removing and counting cost
//! the same however many announcers a route has and however many routes a member shares: peers choose both
//! numbers.

use ahash::RandomState;

use super::rib::index::Index;
use super::slab::{NONE, Slab, Vacancy};

/// Up to this many further announcers of a route are searched one after the other.
const FEW: u32 = 8;

/// In a member's number: the member is a client. In a [`Further`]: the rest is the number of a crowd. Both
/// numbers are far below this bit.
const FLAG: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
struct AnnouncerNode {
    route: u32,
    /// Its number, with [`FLAG`].
    member: u32,
    /// Neighbours in the route's list.
    older: u32,
    newer: u32,
    /// Neighbours in the member's list.
    next: u32,
    prev: u32,
}

impl AnnouncerNode {
    fn member(&self) -> u32 {
        self.member & !FLAG
    }

    fn is_client(&self) -> bool {
        self.member & FLAG != 0
    }
}

impl Vacancy for AnnouncerNode {
    fn vacate(&mut self, next: u32) {
        self.next = next;
    }

    fn next_vacant(&self) -> u32 {
        self.next
    }
}

/// The further announcers of one route, if they are many.
#[derive(Clone, Copy, Debug)]
struct Crowd {
    oldest: u32,
    newest: u32,
    count: u32,
    /// The number of clients among them.
    clients: u32,
}

impl Vacancy for Crowd {
    fn vacate(&mut self, next: u32) {
        self.oldest = next;
    }

    fn next_vacant(&self) -> u32 {
        self.oldest
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Announcers {
    places: Slab<AnnouncerNode>,
    crowds: Slab<Crowd>,
    /// The places of crowds, by route and member.
    index: Index,
    hasher: RandomState,
}

/// The part of a route that holds its announcers beside its primary announcer. [`Further::default`] holds none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Further(u32);

impl Default for Further {
    fn default() -> Self {
        Self(NONE)
    }
}

impl Further {
    /// Whether there is a further announcer.
    #[inline]
    pub(super) fn is_anybody(self) -> bool {
        self.0 != NONE
    }

    fn crowd(self) -> Option<u32> {
        (self.0 != NONE && self.0 & FLAG != 0).then_some(self.0 & !FLAG)
    }
}

impl Announcers {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { places: Slab::new(), crowds: Slab::new(), index: Index::new(), hasher }
    }

    /// The number of further announcers of all routes.
    pub(super) fn total(&self) -> usize {
        self.places.len()
    }

    /// The number of further announcers.
    pub(super) fn count(&self, further: Further) -> u32 {
        match further.crowd() {
            Some(crowd) => self.crowds[crowd].count,
            None => self.list(further).map(|_| 1).sum(),
        }
    }

    /// Whether some of them are clients.
    pub(super) fn has_client(&self, further: Further) -> bool {
        match further.crowd() {
            Some(crowd) => self.crowds[crowd].clients > 0,
            None => self.list(further).any(|place| self.places[place].is_client()),
        }
    }

    /// Whether a member is one of them.
    pub(super) fn contains(&self, further: Further, route: u32, member: u32) -> bool {
        self.find(further, route, member).is_some()
    }

    /// The members, the oldest announcer first.
    pub(super) fn of(&self, further: Further) -> impl Iterator<Item = u32> + '_ {
        self.list(further).map(|place| self.places[place].member())
    }

    /// Adds a member, whose list begins at `first`. `false` when it is a further announcer already.
    pub(super) fn add(
        &mut self,
        further: &mut Further,
        route: u32,
        member: u32,
        is_client: bool,
        first: &mut u32,
    ) -> bool {
        if self.contains(*further, route, member) {
            return false;
        }
        let older = self.newest(*further);
        let flagged = if is_client { member | FLAG } else { member };
        let (newer, next, prev) = (NONE, *first, NONE);
        let place =
            self.places.insert(AnnouncerNode { route, member: flagged, older, newer, next, prev });
        if next != NONE {
            self.places[next].prev = place;
        }
        *first = place;
        if older != NONE {
            self.places[older].newer = place;
        }
        if let Some(crowd) = further.crowd() {
            let crowd = &mut self.crowds[crowd];
            crowd.newest = place;
            crowd.count += 1;
            crowd.clients += u32::from(is_client);
            self.index.insert(self.hash(route, member), place);
            return true;
        }
        if older == NONE {
            *further = Further(place);
        }
        if self.count(*further) > FEW {
            self.crowd(further);
        }
        true
    }

    /// Removes a member, whose list begins at `first`. `false` when it is no further announcer.
    pub(super) fn remove(
        &mut self,
        further: &mut Further,
        route: u32,
        member: u32,
        first: &mut u32,
    ) -> bool {
        let Some(place) = self.find(*further, route, member) else { return false };
        let removed = self.places[place];
        let AnnouncerNode { older, newer, next, prev, .. } = removed;
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
        if let Some(number) = further.crowd() {
            self.index.remove(self.hash(route, member), place);
            let crowd = &mut self.crowds[number];
            crowd.count -= 1;
            crowd.clients -= u32::from(removed.is_client());
            if older == NONE {
                crowd.oldest = newer;
            }
            if newer == NONE {
                crowd.newest = older;
            }
            // Far below `FEW`, or a single announcer that comes and goes would cost this each time.
            if crowd.count < FEW / 2 {
                self.scatter(further, number);
            }
        } else if older == NONE {
            *further = Further(newer);
        }
        self.places.remove(place);
        true
    }

    /// The route of the place with which a member's list begins.
    pub(super) fn route_of(&self, place: u32) -> u32 {
        self.places[place].route
    }

    /// Makes a crowd for a route that had few announcers.
    fn crowd(&mut self, further: &mut Further) {
        let mut crowd = Crowd { oldest: further.0, newest: NONE, count: 0, clients: 0 };
        let mut place = crowd.oldest;
        while place != NONE {
            let AnnouncerNode { route, newer, .. } = self.places[place];
            crowd.count += 1;
            crowd.clients += u32::from(self.places[place].is_client());
            crowd.newest = place;
            self.index.insert(self.hash(route, self.places[place].member()), place);
            place = newer;
        }
        *further = Further(self.crowds.insert(crowd) | FLAG);
    }

    /// Removes the crowd of a route that has few announcers by now.
    fn scatter(&mut self, further: &mut Further, crowd: u32) {
        *further = Further(self.crowds[crowd].oldest);
        self.crowds.remove(crowd);
        let mut place = further.0;
        while place != NONE {
            let AnnouncerNode { route, newer, .. } = self.places[place];
            self.index.remove(self.hash(route, self.places[place].member()), place);
            place = newer;
        }
    }

    /// The places of a route, the oldest first.
    fn list(&self, further: Further) -> impl Iterator<Item = u32> + '_ {
        let oldest = further.crowd().map_or(further.0, |crowd| self.crowds[crowd].oldest);
        let exists = |place: &u32| *place != NONE;
        std::iter::successors(Some(oldest).filter(exists), move |&place| {
            Some(self.places[place].newer).filter(exists)
        })
    }

    fn newest(&self, further: Further) -> u32 {
        match further.crowd() {
            Some(crowd) => self.crowds[crowd].newest,
            None => self.list(further).last().unwrap_or(NONE),
        }
    }

    fn find(&self, further: Further, route: u32, member: u32) -> Option<u32> {
        if further.crowd().is_none() {
            return self.list(further).find(|&place| self.places[place].member() == member);
        }
        self.index.find(self.hash(route, member), |place| {
            let place = &self.places[place];
            place.route == route && place.member() == member
        })
    }

    fn hash(&self, route: u32, member: u32) -> u64 {
        self.hasher.hash_one((route, member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members announce route 7 in the order of `joining`, then withdraw it in the order of `leaving`.
    fn come_and_go(joining: &[u32], leaving: &[u32]) {
        let mut announcers = Announcers::new(RandomState::with_seeds(1, 2, 3, 4));
        let mut lists = vec![NONE; joining.len()];
        let [mut seven, mut eight] = [Further::default(); 2];
        let mut held = Vec::new();
        for &member in joining {
            let first = &mut lists[member as usize];
            assert!(announcers.add(&mut seven, 7, member, member % 2 == 0, first));
            assert!(announcers.add(&mut eight, 8, member, true, first));
            assert!(!announcers.add(&mut seven, 7, member, true, first), "it is there");
            held.push(member);
            assert_eq!(announcers.of(seven).collect::<Vec<_>>(), held);
        }
        for &member in leaving {
            let first = &mut lists[member as usize];
            assert_eq!(announcers.route_of(*first), 8, "the newest comes first");
            assert!(announcers.remove(&mut seven, 7, member, first));
            assert!(!announcers.remove(&mut seven, 7, member, first));
            held.retain(|other| *other != member);
            assert_eq!(announcers.of(seven).collect::<Vec<_>>(), held);
            assert_eq!(announcers.of(seven).next(), held.first().copied());
            assert_eq!(announcers.count(seven) as usize, held.len());
            assert_eq!(seven.is_anybody(), !held.is_empty());
            assert_eq!(announcers.has_client(seven), held.iter().any(|member| member % 2 == 0));
            assert!(announcers.contains(eight, 8, member));
        }
        for (member, first) in (0..).zip(&mut lists) {
            assert!(announcers.remove(&mut eight, 8, member, first));
            assert_eq!(*first, NONE);
        }
        assert_eq!((announcers.places.len(), announcers.crowds.len()), (0, 0));
    }

    #[test]
    fn members_leave_in_any_order_and_the_oldest_is_known() {
        come_and_go(&[2, 0, 4, 1, 3], &[4, 2, 3, 0, 1]);
    }

    #[test]
    fn many_announce_a_route_and_no_longer() {
        let joining: Vec<_> = (0..40).map(|i| i * 7 % 40).collect();
        let leaving: Vec<_> = (0..40).map(|i| i * 11 % 40).collect();
        come_and_go(&joining, &leaving);
    }
}
