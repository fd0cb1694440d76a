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
//! **Cost**: when a route is announced anew, a look at each route of its destination. If these are many, the chosen one
//! is remembered, and the next look comes only after nobody announces that one any more.

use ahash::{AHashMap, AHashSet};
use smallvec::SmallVec;

use super::view::View;
use super::vnet::Vnet;
use crate::wire::NextHopType;

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
        let place = self.routes.listed_at(route);
        let known = self.known_chosen.as_ref().and_then(|chosen| chosen.get(&place).copied());
        let is_chosen = |&known: &u32| {
            let is_announced =
                self.routes.is_held(known) && self.routes.route(known).is_announced();
            known != route && is_announced && self.routes.share_destination(known, route)
        };
        if let Some(known) = known.filter(is_chosen) {
            return Some(known);
        }
        let found = self.chosen(route, true);
        let hasher = self.members.hasher();
        let chosen =
            self.known_chosen.get_or_insert_with(|| Box::new(AHashMap::with_hasher(hasher)));
        match found {
            Some(found) => chosen.insert(place, found),
            None => chosen.remove(&place),
        };
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
