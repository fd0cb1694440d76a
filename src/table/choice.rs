//! The chosen next hop of a destination, for subscribers that receive one of each destination.
//!
//! Of the STANDARD routes of a destination that are announced, one is *chosen*: the *preferred* route, or, if there is
//! none, the route with the lowest next hop: the lowest address, and of several with this address the lowest in the
//! other fields. All fields count, so no two routes of a destination are equal. When a route with a lower next hop
//! comes, the chosen route becomes the preferred one, so it stays chosen until nobody announces it. While no subscriber
//! wants one next hop, no route becomes preferred.
//!
//! So which route is chosen follows from the views of a destination's routes, in which preference is a bit
//! ([`View::preferred`]), and the journal tells which was chosen at any of its positions.
//!
//! **Cost**: when a route is announced anew, a look at each route of its destination. If a destination has many routes,
//! the table remembers the chosen route, and looks at all routes again only after the last announcer has withdrawn the
//! chosen one. When a batch is sealed, a look at each route of a destination with a change in it. One peer may announce
//! thousands of next hops of many destinations, so looks count as work: [`LOOKS`] of them as one update.

use ahash::{AHashMap, AHashSet};
use smallvec::SmallVec;

use super::view::View;
use super::vnet::Vnet;
use crate::wire::NextHopType;

/// So many looks at next hops of a destination cost about as much as an update.
const LOOKS: u32 = 8;

/// The places of preferred routes; `None` if there are none.
pub(super) type Preferred = Option<Box<AHashSet<u32>>>;

/// The chosen routes of some destinations with many routes, by the place at which the destination is listed. An entry
/// may be out of date: its route may be withdrawn, or of another destination.
pub(super) type Chosen = Option<Box<AHashMap<u32, u32>>>;

impl Vnet {
    /// Whether a route is a STANDARD route: subscribers may want only one of these.
    pub(super) fn is_standard(&self, route: u32) -> bool {
        self.routes.next_hop_of(route).kind() == NextHopType::Standard
    }

    /// The chosen route of the destination of a route, not counting that route itself if `beside`.
    pub(super) fn chosen(&self, route: u32, beside: bool) -> Option<u32> {
        let others = self.routes.with_same_destination(route);
        let candidates = others.filter(|&other| {
            let is_announced = self.routes.route(other).is_announced();
            is_announced && !(beside && other == route) && self.is_standard(other)
        });
        candidates.min_by_key(|&other| (!self.is_preferred(other), self.routes.next_hop_of(other)))
    }

    /// Whether a route stays its destination's chosen route although another may have a lower address.
    pub(super) fn is_preferred(&self, route: u32) -> bool {
        self.preferred.as_ref().is_some_and(|preferred| preferred.contains(&route))
    }

    /// Counts a look at each route of a route's destination.
    #[inline]
    pub(super) fn look_at_all_of(&mut self, route: u32) {
        let looks = u32::try_from(self.routes.siblings(route)).unwrap_or(u32::MAX);
        // One look is a part of what any update costs.
        self.looks = self.looks.saturating_add(looks - 1);
    }

    /// The cost of the looks since there were so many, in updates.
    pub(super) fn cost_since(&self, looks: u32) -> usize {
        (self.looks.saturating_sub(looks) / LOOKS) as usize
    }

    /// Takes the cost of looks since the last call, in updates; a smaller rest stays.
    pub(crate) fn take_looks(&mut self) -> usize {
        let cost = self.cost_since(0);
        self.looks %= LOOKS;
        cost
    }

    /// The chosen route of the destination of a route with many routes, if it is remembered.
    pub(super) fn known_chosen(&self, route: u32) -> Option<u32> {
        let known = *self.known_chosen.as_ref()?.get(&self.routes.listed_at(route))?;
        let is_chosen = self.routes.is_held(known)
            && self.routes.route(known).is_announced()
            && self.routes.share_destination(known, route);
        is_chosen.then_some(known)
    }

    /// Remembers the chosen route of a destination with many routes.
    pub(super) fn remember_chosen(&mut self, route: u32) {
        let (place, hasher) = (self.routes.listed_at(route), self.members.hasher());
        let known =
            self.known_chosen.get_or_insert_with(|| Box::new(AHashMap::with_hasher(hasher)));
        known.insert(place, route);
    }

    /// Handles a change of a route's view. If the chosen route of its destination becomes the preferred one by it, the
    /// view of that route changes, too.
    pub(super) fn choose(&mut self, route: u32, before: View, after: View) {
        if !after.is_announced() {
            self.choose_no_longer(route);
            return self.prefer_no_longer(route);
        }
        if before.is_announced() || !self.members.has_choosers() || !self.is_standard(route) {
            return;
        }
        let Some(chosen) = self.chosen_beside(route) else { return };
        let is_lower = || self.routes.next_hop_of(chosen) < self.routes.next_hop_of(route);
        if self.is_preferred(chosen) || is_lower() {
            return;
        }
        let was = self.view(chosen);
        self.prefer(chosen);
        self.note_change(chosen, was);
    }

    /// The chosen route of the destination of a route that is announced anew. It stays the chosen one: if the new route
    /// has a lower next hop, the caller makes it the preferred one.
    fn chosen_beside(&mut self, route: u32) -> Option<u32> {
        if !self.routes.is_of_many(route) {
            return self.chosen(route, true);
        }
        if let Some(known) = self.known_chosen(route).filter(|known| *known != route) {
            return Some(known);
        }
        self.look_at_all_of(route);
        let found = self.chosen(route, true);
        match found {
            Some(found) => self.remember_chosen(found),
            None => {
                let place = self.routes.listed_at(route);
                self.known_chosen.as_mut().and_then(|chosen| chosen.remove(&place));
            }
        }
        found
    }

    /// Forgets that a route is the chosen one of its destination.
    fn choose_no_longer(&mut self, route: u32) {
        let Some(chosen) = &mut self.known_chosen else { return };
        let place = self.routes.listed_at(route);
        if chosen.get(&place) == Some(&route) {
            chosen.remove(&place);
        }
        if chosen.is_empty() {
            self.known_chosen = None;
        }
    }

    /// Makes a route the preferred one of its destination.
    pub(super) fn prefer(&mut self, route: u32) {
        let hasher = self.members.hasher();
        let preferred =
            self.preferred.get_or_insert_with(|| Box::new(AHashSet::with_hasher(hasher)));
        preferred.insert(route);
    }

    fn prefer_no_longer(&mut self, route: u32) {
        let Some(preferred) = &mut self.preferred else { return };
        preferred.remove(&route);
        if preferred.is_empty() {
            self.preferred = None;
        }
    }

    /// A route is about to be freed. If one route of its destination remains, that route needs no preference any more,
    /// and a lone route could be withdrawn without a look at its preference (see `usual`).
    pub(super) fn forget_beside(&mut self, route: u32) {
        if self.preferred.is_none() && self.known_chosen.is_none() {
            return;
        }
        let others = self.routes.with_same_destination(route).filter(|&other| other != route);
        let others: SmallVec<[u32; 2]> = others.take(2).collect();
        if let [last] = others[..] {
            self.prefer_no_longer(last);
            self.choose_no_longer(last);
        }
    }

    /// Forgets all preferences when no subscriber is left that wants one next hop.
    pub(super) fn forget_preferences(&mut self) {
        if !self.members.has_choosers() {
            self.known_chosen = None;
        }
        if self.preferred.is_some() && !self.members.has_choosers() {
            self.preferred = None;
            self.cache.forget_all();
        }
    }
}
