//! The routes of one VNI (the Loc-RIB of RFC 4271, with every route kept), and the announcers of each.
//!
//! State: one [`Entry`] of a cache line for each route, which names the route's *primary* announcer; an [`Index`] from
//! destinations to entries; and [`Announcers`] for routes with further announcers. The routes of a primary announcer
//! form a list through the entries, so a dead peer's routes are found without a search. Destinations with several
//! routes have a [`Group`]. A route that no peer announces stays as a *tombstone* while the journal still mentions it,
//! in the list of its last announcer: most such routes come back.
//!
//! A lookup of a route waits for memory twice: for the index and for the entry. Resident memory: 74 to 78 bytes for a
//! route with a destination of its own, and 24 for each further announcer.

mod entry;
mod groups;
mod hash;
mod hops;
pub(super) mod index;
mod rebuild;
mod updates;

use ahash::RandomState;
use smallvec::SmallVec;

pub(crate) use entry::Entry;
use entry::{EntryState, GONE};
use groups::{FEW, Group};
use hash::DestinationHash;
use hops::HopTable;
use index::Index;
pub(crate) use updates::{Announcement, Found, Lookup, TOGETHER};

use super::announcers::{Announcers, Further};
use super::slab::{NONE, Slab};
use super::view::View;
use crate::wire::{Destination, NextHop};

/// The largest number of default routes with which a dump begins. Bits below the prefix length tell routes apart, so a
/// peer may announce any number of default routes; every dump looks at so many of them.
pub(crate) const FIRSTS_MAX: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct LocRib {
    entries: Slab<Entry>,
    /// From destinations to their only route, or to the mark of their group.
    index: Index,
    groups: Slab<Group>,
    /// From groups and next hops to routes' places in their groups, for the groups that have many routes.
    crowded: Index,
    hops: HopTable,
    further: Announcers,
    /// Default routes with which a dump begins, tombstones included. A route stays one of them until it is freed.
    firsts: SmallVec<[u32; 4]>,
    announced: usize,
    /// The largest number of announced routes of a destination.
    next_hops: u32,
    destination_hash: DestinationHash,
    hasher: RandomState,
}

impl LocRib {
    /// An empty table; of each destination at most `next_hops` routes may be announced.
    pub(crate) fn new(next_hops: u32, hasher: RandomState) -> Self {
        Self {
            entries: Slab::new(),
            index: Index::new(),
            groups: Slab::new(),
            crowded: Index::new(),
            hops: HopTable::new(hasher.clone()),
            further: Announcers::new(hasher.clone()),
            firsts: SmallVec::new(),
            announced: 0,
            next_hops,
            destination_hash: DestinationHash::new(&hasher),
            hasher,
        }
    }

    /// The number of announced routes.
    pub(crate) fn announced(&self) -> usize {
        self.announced
    }

    /// The number of routes held, tombstones included.
    pub(crate) fn held(&self) -> usize {
        self.entries.len()
    }

    /// One past the highest place a route has ever had.
    pub(crate) fn end(&self) -> u32 {
        self.entries.end()
    }

    /// The announced route at a place; `None` when the place holds none.
    #[inline]
    pub(crate) fn announced_at(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place).filter(|entry| entry.is_announced())
    }

    #[inline]
    pub(crate) fn route(&self, route: u32) -> &Entry {
        &self.entries[route]
    }

    pub(crate) fn next_hop_of(&self, route: u32) -> NextHop {
        let Entry { hop_version, hop_address, hop_fields, .. } = self.entries[route];
        NextHop::from_parts(hop_version, hop_address, self.hops.get(hop_fields))
    }

    /// The routes that a dump begins with, tombstones included: default routes (`/0`).
    pub(crate) fn firsts(&self) -> &[u32] {
        &self.firsts
    }

    /// Whether a dump begins with this route.
    #[inline]
    pub(crate) fn is_first(&self, route: u32) -> bool {
        self.entries[route].destination.is_default() && self.firsts.contains(&route)
    }

    /// Stamp of the newest journal entry of any route of this one's destination.
    #[inline]
    pub(crate) fn last_change(&self, route: u32) -> u32 {
        let Entry { group, changed, .. } = self.entries[route];
        if group == NONE { changed } else { self.groups[group].last }
    }

    /// Notes that a route has a new journal entry.
    #[inline]
    pub(crate) fn set_changed(&mut self, route: u32, stamp: u32) {
        let entry = &mut self.entries[route];
        entry.changed = stamp;
        if entry.group != NONE {
            self.groups[entry.group].last = stamp;
        }
    }

    /// Whether two routes are of one destination.
    #[inline]
    pub(crate) fn share_destination(&self, one: u32, other: u32) -> bool {
        one == other || self.entries[one].shares_destination(&self.entries[other])
    }

    /// The place at which a route's destination is listed. It is that of one of its routes, perhaps of a withdrawn one.
    pub(crate) fn listed_at(&self, route: u32) -> u32 {
        let group = self.entries[route].group;
        if group == NONE { route } else { self.groups[group].mark }
    }

    /// Whether a route's destination has so many routes that an index holds them; in tests, whether it has several.
    pub(crate) fn is_of_many(&self, route: u32) -> bool {
        let group = self.entries[route].group;
        group != NONE && (self.groups[group].is_indexed || cfg!(any(test, fuzzing)))
    }

    /// Forgets a tombstone that the journal no longer mentions.
    pub(crate) fn free(&mut self, route: u32) {
        let Entry { destination, state, lister, group, .. } = self.entries[route];
        debug_assert!(
            lister == NONE && state == EntryState::Held,
            "only a tombstone that is in no list is freed, and once"
        );
        if destination.is_default() {
            self.firsts.retain(|first| *first != route);
        }
        if group == NONE {
            return self.vacate(route);
        }
        if self.groups[group].mark == route {
            self.entries[route].state = EntryState::Mark;
            return;
        }
        self.leave_group(route);
        self.vacate_grouped(route);
        let Group { mark, routes, .. } = &self.groups[group];
        if routes.len() == 1 {
            let mark = *mark;
            self.leave_group(mark);
            self.groups.remove(group);
            if self.entries[mark].state == EntryState::Mark {
                self.vacate(mark);
            }
        }
    }

    /// Adds `member` to the announcers; `further` is the head of its list of routes that it announces
    /// beside another member. `false` when it is an announcer already, and when its destination has the largest allowed
    /// number of next hops without this one.
    ///
    /// The caller puts the route into the member's list when the member becomes the primary announcer, which is the
    /// case exactly when the route was a tombstone.
    pub(crate) fn add_announcer(
        &mut self,
        route: u32,
        member: u32,
        is_server: bool,
        further: &mut u32,
    ) -> bool {
        let entry = &mut self.entries[route];
        if entry.lister == member {
            return false;
        }
        if !entry.is_announced() {
            if entry.group != NONE {
                let group = &mut self.groups[entry.group];
                if group.announced >= self.next_hops {
                    return false;
                }
                group.announced += 1;
            }
            self.announced += 1;
            return true;
        }
        self.further.add(&mut entry.further, route, member, !is_server, further)
    }

    /// Removes a member that is not the primary announcer from the announcers; `further` is the head of its list of
    /// such routes. `false` when it is no announcer.
    pub(crate) fn remove_further(&mut self, route: u32, member: u32, further: &mut u32) -> bool {
        let entry = &mut self.entries[route];
        self.further.remove(&mut entry.further, route, member, further)
    }

    /// Removes the only announcer. The route stays in its list.
    pub(crate) fn retract(&mut self, route: u32) {
        let entry = &mut self.entries[route];
        entry.lister |= GONE;
        self.announced -= 1;
        if entry.group != NONE {
            self.groups[entry.group].announced -= 1;
        }
    }

    /// Makes the former only announcer, whose list still has the route, the announcer again.
    pub(crate) fn restore(&mut self, route: u32) {
        self.entries[route].lister &= !GONE;
    }

    /// Removes a usual route's only announcer, or gives the announcer back to the tombstone of a usual route.
    /// `restamp` makes the stamp of the route's newest change from that of the one before. `false`,
    /// and no effect, when the route is not a usual one or its announcer is another.
    #[inline]
    pub(crate) fn toggle(
        &mut self,
        route: u32,
        member: u32,
        removes: bool,
        restamp: impl FnOnce(u32) -> u32,
    ) -> bool {
        let entry = &mut self.entries[route];
        let lister = if removes { member } else { member | GONE };
        if !entry.is_usual() || entry.lister != lister {
            return false;
        }
        entry.lister = lister ^ GONE;
        entry.changed = restamp(entry.changed);
        if removes {
            self.announced -= 1;
        } else {
            self.announced += 1;
        }
        true
    }

    /// Puts a route that is in no list at the head of its primary announcer's list, which begins at `first`.
    pub(crate) fn link(&mut self, route: u32, member: u32, first: &mut u32) {
        let next = std::mem::replace(first, route);
        let entry = &mut self.entries[route];
        (entry.lister, entry.list_next, entry.list_prev) = (member, next, NONE);
        if next != NONE {
            self.entries[next].list_prev = route;
        }
    }

    /// Takes a route out of the list that it is in, which begins at `first`. Then the route has no primary
    /// announcer.
    pub(crate) fn unlink(&mut self, route: u32, first: &mut u32) {
        let entry = &mut self.entries[route];
        entry.lister = NONE;
        let (next, prev) = (entry.list_next, entry.list_prev);
        if next != NONE {
            self.entries[next].list_prev = prev;
        }
        if prev == NONE {
            *first = next;
        } else {
            self.entries[prev].list_next = next;
        }
    }

    /// The announcers of a route beside the primary one, the oldest first.
    pub(crate) fn further_of(&self, route: u32) -> impl Iterator<Item = u32> + '_ {
        self.further.of(self.entries[route].further)
    }

    /// The number of further announcers of all routes.
    pub(crate) fn further_total(&self) -> usize {
        self.further.total()
    }

    /// The number of a route's further announcers.
    pub(crate) fn further_count(&self, route: u32) -> u32 {
        self.further.count(self.entries[route].further)
    }

    /// Whether a member is a further announcer of a route.
    pub(crate) fn is_further(&self, route: u32, member: u32) -> bool {
        self.further.contains(self.entries[route].further, route, member)
    }

    /// Whether a member announces a route.
    pub(crate) fn is_announced_by(&self, route: u32, member: u32) -> bool {
        self.route(route).primary() == Some(member) || self.is_further(route, member)
    }

    /// The first route of a member's list of routes that it announces beside another member.
    pub(crate) fn first_further(&self, list: u32) -> u32 {
        self.further.route_of(list)
    }

    /// The view that subscribers have of a route. Costs the same for any number of announcers.
    #[inline]
    pub(crate) fn view(&self, route: u32, is_server: impl Fn(u32) -> bool) -> View {
        let entry = &self.entries[route];
        let Some(primary) = entry.primary() else { return View::NOBODY };
        if !entry.is_shared() {
            return View::sole(primary, is_server(primary));
        }
        View::many(!is_server(primary) || self.further.has_client(entry.further))
    }

    /// The routes of a destination, tombstones included.
    pub(crate) fn of_destination(
        &self,
        destination: &Destination,
    ) -> impl Iterator<Item = u32> + '_ {
        let hash = self.destination_hash.of(destination);
        let found = self.find_destination(hash, destination);
        found.into_iter().flat_map(|route| self.with_same_destination(route))
    }

    /// A destination and its routes, tombstones included, if it is listed at this place. Each destination
    /// is listed at one place, which stays the same.
    pub(crate) fn destination_at(
        &self,
        place: u32,
    ) -> Option<(&Destination, impl Iterator<Item = u32> + '_)> {
        let entry = self.entries.get(place)?;
        let is_listed =
            !entry.is_free() && (entry.group == NONE || self.groups[entry.group].mark == place);
        is_listed.then(|| (&entry.destination, self.with_same_destination(place)))
    }

    /// The group of a route's destination; `None` while the destination has no other route.
    pub(crate) fn group_of(&self, route: u32) -> Option<u32> {
        let group = self.entries[route].group;
        (group != NONE).then_some(group)
    }

    /// This route and all others of its destination.
    pub(crate) fn with_same_destination(&self, route: u32) -> impl Iterator<Item = u32> + '_ {
        let group = self.entries[route].group;
        let routes = if group == NONE { None } else { Some(&self.groups[group].routes) };
        let alone = if group == NONE { Some(route) } else { None };
        // As a rule, the newest come first.
        alone.into_iter().chain(routes.into_iter().flat_map(|routes| routes.iter().rev().copied()))
    }

    /// The number of routes of a route's destination, tombstones included.
    #[inline]
    pub(crate) fn siblings(&self, route: u32) -> usize {
        let group = self.entries[route].group;
        if group == NONE { 1 } else { self.groups[group].routes.len() }
    }

    /// Takes a route out of its group, which keeps other routes.
    fn leave_group(&mut self, route: u32) {
        let number = self.entries[route].group;
        let place = if self.groups[number].is_indexed {
            let hash = self.hash_in_group(number, &self.next_hop_of(route));
            let routes = &self.groups[number].routes;
            let is = |place: u32| routes.get(place as usize) == Some(&route);
            let place = self.crowded.find(hash, is);
            place.inspect(|&place| self.crowded.remove(hash, place))
        } else {
            let mut routes = (0..).zip(&self.groups[number].routes);
            routes.find(|(_, other)| **other == route).map(|(place, _)| place)
        };
        self.entries[route].group = NONE;
        let Some(place) = place else { return };
        let group = &mut self.groups[number];
        group.routes.swap_remove(place as usize);
        if group.is_indexed
            && let Some(&moved) = group.routes.get(place as usize)
        {
            let was = to_place(group.routes.len());
            let hash = self.hash_in_group(number, &self.next_hop_of(moved));
            self.crowded.remove(hash, was);
            self.crowded.insert(hash, place);
        }
    }

    /// Makes the place of a destination's last route free.
    fn vacate(&mut self, route: u32) {
        let hash = self.destination_hash.of(&self.entries[route].destination);
        self.index.remove(hash, route);
        self.vacate_grouped(route);
    }

    /// Makes the place of a route free whose destination has other routes.
    fn vacate_grouped(&mut self, route: u32) {
        self.hops.release(self.entries[route].hop_fields);
        self.entries.remove(route);
    }

    fn hash_in_group(&self, group: u32, hop: &NextHop) -> u64 {
        self.hasher.hash_one((group, hop))
    }
}

/// A place in a group, which has fewer routes than the table.
fn to_place(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(NONE)
}
