//! A policy's judgement of what members announce: when it is new, and when the policy has changed.

use super::apply::Applied;
use super::filtered::{Notice, Policing};
use super::inspect::{CHAIN_MAX, FilteredFacts};
use super::member::Origin;
use super::rib::{Announcement, Found};
use super::slab::NONE;
use super::vnet::{UpdateOutcome, Vnet};
use crate::ids::PeerId;
use crate::policy::{Example, Judgement, Policy, Refusal, Rights, Terms};
use crate::wire::{Destination, NextHop};

/// The number of filtered routes that an explanation looks at.
const LOOKED_AT: usize = 65_536;

/// A slice of the filtered routes.
#[derive(Debug, Default)]
pub(crate) struct FilteredSlice {
    pub(crate) rows: Vec<(Destination, FilteredFacts)>,
    /// The place to go on at, and the number of routes of its member that are left; 0: all.
    pub(crate) next: Option<(u32, u32)>,
}

impl Vnet {
    /// Announces a route if the policy allows it, and keeps it as filtered if not.
    #[inline(never)]
    pub(super) fn announce_judged(
        &mut self,
        member: u32,
        update: &Announcement,
        found: Found,
        terms: Option<&Terms<'_>>,
    ) -> UpdateOutcome {
        let Announcement { destination, next_hop, .. } = update;
        let origin = self.members[member].origin;
        let judged = terms.map(|terms| terms.judge(origin.rights.own, destination, next_hop));
        match judged.unwrap_or(Judgement::Allowed) {
            Judgement::Allowed => self.admit(member, destination, next_hop, found),
            Judgement::Warned(refusal) => {
                let outcome = self.admit(member, destination, next_hop, found);
                if outcome != UpdateOutcome::Ignored {
                    self.note_refusal(member, origin, refusal, (*destination, *next_hop));
                }
                outcome
            }
            Judgement::Refused(refusal) => {
                let route = found.route().or_else(|| self.routes.find(destination, next_hop));
                if route.is_some_and(|route| self.routes.is_announced_by(route, member)) {
                    return UpdateOutcome::Ignored; // it was allowed before; the review withdraws it
                }
                self.keep_filtered(member, origin, refusal, (*destination, *next_hop))
            }
        }
    }

    /// Announces a route that may have been filtered.
    fn admit(
        &mut self,
        member: u32,
        to: &Destination,
        hop: &NextHop,
        found: Found,
    ) -> UpdateOutcome {
        let was_filtered = self.unfilter(member, &(*to, *hop));
        let outcome = self.announce(member, to, hop, found);
        match outcome {
            UpdateOutcome::Added if was_filtered => UpdateOutcome::Kept,
            UpdateOutcome::Ignored if was_filtered => UpdateOutcome::Removed, // the destination is full
            outcome => outcome,
        }
    }

    fn keep_filtered(
        &mut self,
        member: u32,
        origin: Origin,
        refusal: Refusal,
        route: (Destination, NextHop),
    ) -> UpdateOutcome {
        if !self.policing().keep(member, route, refusal) {
            return UpdateOutcome::Ignored;
        }
        self.members[member].filtered += 1;
        if refusal != Refusal::UNKNOWN {
            self.note_refusal(member, origin, refusal, route);
        }
        UpdateOutcome::Added
    }

    fn note_refusal(
        &mut self,
        member: u32,
        origin: Origin,
        refusal: Refusal,
        (destination, next_hop): (Destination, NextHop),
    ) {
        let example = Example { destination, next_hop };
        self.policing().note(member, origin, refusal, example);
    }

    /// Takes a route of a member that was refused in another process. `false` when it is here already.
    pub(super) fn take_filtered(&mut self, member: u32, route: (Destination, NextHop)) -> bool {
        let is_new = self.policing().keep(member, route, Refusal::UNKNOWN);
        self.members[member].filtered += u32::from(is_new);
        is_new
    }

    /// Filtered routes, each with its member and its refusal.
    pub(super) fn all_filtered(
        &self,
    ) -> impl Iterator<Item = (u32, &(Destination, NextHop), Refusal)> {
        self.policing.iter().flat_map(|policing| policing.iter())
    }

    /// The first filtered routes of a destination, or those with one next hop. Cost: a look at every filtered route,
    /// up to a bound.
    pub(super) fn filtered_of(
        &self,
        destination: &Destination,
        next_hop: Option<&NextHop>,
    ) -> Vec<FilteredFacts> {
        let is_meant = |(_, (to, hop), _): &(u32, &(Destination, NextHop), Refusal)| {
            to == destination && next_hop.is_none_or(|wanted| wanted == hop)
        };
        let facts = |(member, (_, next_hop), refusal): (u32, &(Destination, NextHop), _)| {
            let Origin { peer, rights, .. } = self.members[member].origin;
            FilteredFacts { next_hop: *next_hop, peer, rights, refusal }
        };
        self.all_filtered().take(LOOKED_AT).filter(is_meant).take(CHAIN_MAX).map(facts).collect()
    }

    /// Filtered routes of members from a place on, and of the first member only the last `left` (0: all): at most
    /// `rows`, among at most `places` members.
    pub(crate) fn list_filtered(
        &self,
        (from, left): (u32, u32),
        rows: usize,
        places: u32,
    ) -> FilteredSlice {
        let mut found = Vec::new();
        let Some(policing) = &self.policing else { return FilteredSlice::default() };
        let end = self.members.end();
        let last = end.min(from.saturating_add(places.max(1)));
        for place in from..last {
            let Origin { peer, rights, .. } = self.members[place].origin;
            let left = Some(left).filter(|left| place == from && *left > 0);
            for (at, (destination, next_hop), refusal) in policing.of_member(place, left) {
                let facts = FilteredFacts { next_hop: *next_hop, peer, rights, refusal };
                found.push((*destination, facts));
                if found.len() >= rows.max(1) {
                    let next = if at > 0 { (place, at) } else { (place + 1, 0) };
                    let next = Some(next).filter(|(place, _)| *place < end);
                    return FilteredSlice { rows: found, next };
                }
            }
        }
        FilteredSlice { rows: found, next: (last < end).then_some((last, 0)) }
    }

    /// A member withdraws a filtered route. `false` when there is none.
    pub(super) fn unfilter(&mut self, member: u32, route: &(Destination, NextHop)) -> bool {
        let Some(policing) = &mut self.policing else { return false };
        let is_removed = policing.remove(member, route);
        if is_removed {
            self.members[member].filtered -= 1;
            self.members.note_idle(member);
        }
        is_removed
    }

    /// Whether a route of a member is filtered.
    pub(super) fn is_filtered(&self, member: u32, route: &(Destination, NextHop)) -> bool {
        self.policing.as_ref().is_some_and(|policing| policing.has(member, route))
    }

    /// Forgets the filtered routes of a member, and returns their number.
    pub(super) fn forget_filtered(&mut self, member: u32) -> u32 {
        self.members[member].filtered = 0;
        self.policing.as_mut().map_or(0, |policing| policing.forget(member))
    }

    pub(super) fn policing(&mut self) -> &mut Policing {
        let hasher = self.members.hasher();
        self.policing.get_or_insert_with(|| Box::new(Policing::new(hasher)))
    }

    /// The number of filtered routes.
    pub(crate) fn filtered(&self) -> u64 {
        self.policing.as_ref().map_or(0, |policing| policing.filtered())
    }

    /// Whether [`Vnet::take_refusals`] has anything to take.
    #[inline]
    pub(crate) fn has_refusals(&self) -> bool {
        self.policing.as_ref().is_some_and(|policing| policing.has_news())
    }

    /// Takes the notices for shards, and how often each requirement was not met since the last call.
    pub(crate) fn take_refusals(&mut self) -> (Vec<Notice>, Vec<(Refusal, u64)>) {
        let Some(policing) = &mut self.policing else { return Default::default() };
        let taken = (policing.take_notices(), policing.take_tally().into_iter().collect());
        if policing.is_idle() {
            self.policing = None;
        }
        taken
    }

    /// Peers with a route that the policy lets in and for which the destination had no room: each announces one route
    /// fewer. Each comes with its present number of routes.
    pub(crate) fn take_lost(&mut self) -> Vec<(Origin, u32)> {
        let lost = self.policing.as_mut().map(|policing| policing.take_lost()).unwrap_or_default();
        let count = |member: u32| {
            let member = &self.members[member];
            (member.origin, member.announced())
        };
        lost.into_iter().map(count).collect()
    }

    /// Whether a review is under way.
    pub(crate) fn is_reviewed(&self) -> bool {
        self.policing.as_ref().is_some_and(|policing| policing.review.is_some())
    }

    /// Judges a peer by these rights from now on. `false` when it has no part here, or nothing changes.
    pub(crate) fn classify(&mut self, peer: PeerId, rights: Rights) -> bool {
        let Some(member) = self.members.find(peer) else { return false };
        self.set_rights(member, rights)
    }

    /// Judges a member by these rights from now on. `false` when it announces nothing, or nothing changes. Withdrawn
    /// routes in the list of a member that announces nothing leave the list: they would come back without being judged,
    /// and no review follows for such a member.
    pub(super) fn set_rights(&mut self, member: u32, rights: Rights) -> bool {
        let entry = &mut self.members[member];
        let before = std::mem::replace(&mut entry.origin.rights, rights);
        if before == rights || entry.announced() > 0 {
            return before != rights;
        }
        while let Some(route) = Some(self.members[member].first).filter(|first| *first != NONE) {
            self.delist(route, Some(member));
        }
        false
    }

    /// Has [`Vnet::review`] judge all routes again. A review that is under way begins again from where it is.
    pub(crate) fn begin_review(&mut self) {
        let places = self.routes.end();
        self.policing().begin_review(places);
    }

    /// Judges up to `budget` routes again: withdraws routes that are refused now, and announces filtered routes that
    /// are allowed now. Returns how many routes it has judged.
    pub(crate) fn review(&mut self, policy: &Policy, budget: usize) -> usize {
        let mut judged = 0;
        let mut looks = self.looks;
        while judged < budget && self.review_filtered(policy) {
            judged += 1 + self.cost_since(looks);
            looks = self.looks;
        }
        while judged < budget
            && let Some(place) = self.next_place()
        {
            judged += 1 + self.review_route(policy, place) + self.cost_since(looks);
            looks = self.looks;
        }
        if judged < budget
            && let Some(policing) = &mut self.policing
        {
            policing.review = None;
        }
        judged
    }

    /// The next place of the review, which goes round once.
    fn next_place(&mut self) -> Option<u32> {
        self.policing.as_mut()?.review.as_mut()?.next_place()
    }

    /// Judges a route again for each member that announces it; returns the number of these members.
    fn review_route(&mut self, policy: &Policy, place: u32) -> usize {
        if !self.routes.is_held(place) {
            return 0;
        }
        let route = self.routes.route(place);
        let identity = (*route.destination(), self.routes.next_hop_of(place));
        if !route.is_announced() {
            // A withdrawn route in its announcer's list comes back without being judged, so a refused one must leave
            // the list. So must a route whose announcer another policy judges: no further review follows for a member
            // that announces nothing.
            if let Some(member) = route.lister()
                && self.judge(policy, member, &identity).is_none_or(|it| !it.allows())
            {
                self.delist(place, Some(member));
            }
            return 0;
        }
        let announcers: smallvec::SmallVec<[u32; 8]> =
            route.primary().into_iter().chain(self.routes.further_of(place)).collect();
        for &member in &announcers {
            let origin = self.members[member].origin;
            match self.judge(policy, member, &identity) {
                None | Some(Judgement::Allowed) => {}
                Some(Judgement::Warned(refusal)) => {
                    self.note_refusal(member, origin, refusal, identity);
                }
                Some(Judgement::Refused(refusal)) => {
                    let is_stale = self.is_stale_announcer(origin.peer, place);
                    self.withdraw(place, member);
                    self.delist(place, Some(member));
                    if is_stale {
                        self.note_refusal(member, origin, refusal, identity);
                        self.lose_stale(member);
                    } else {
                        self.no_longer_fresh(member, place);
                        self.keep_filtered(member, origin, refusal, identity);
                    }
                }
            }
        }
        announcers.len()
    }

    /// Judges the next filtered route again; `false` when there is none left.
    fn review_filtered(&mut self, policy: &Policy) -> bool {
        let Some(policing) = &mut self.policing else { return false };
        let Some((member, route)) = policing.next_filtered() else { return false };
        match self.judge(policy, member, &route) {
            None => {}
            Some(Judgement::Refused(refusal)) => {
                self.policing().keep(member, route, refusal);
            }
            Some(Judgement::Allowed | Judgement::Warned(_)) => {
                let (to, hop) = route;
                let found = self.routes.find_one(&to, &hop);
                if self.admit(member, &to, &hop, found) == UpdateOutcome::Removed {
                    self.policing().lose(member);
                } else if self.has_stale() {
                    self.note_admitted(member, &to, &hop);
                }
            }
        }
        true
    }

    /// Judges a route of a member. `None` while another policy judges the member, and when it has left.
    fn judge(
        &self,
        policy: &Policy,
        member: u32,
        (to, hop): &(Destination, NextHop),
    ) -> Option<Judgement> {
        let Origin { peer, rights, .. } = self.members[member].origin;
        let is_known = rights.generation == policy.generation();
        if !is_known || self.members.find(peer) != Some(member) {
            return None;
        }
        let terms = policy.terms(rights, self.vni);
        Some(terms.map_or(Judgement::Allowed, |terms| terms.judge(rights.own, to, hop)))
    }
}

impl Applied {
    /// Counts the outcome of one update.
    pub(super) fn count(&mut self, outcome: UpdateOutcome) {
        match outcome {
            UpdateOutcome::Added => self.change += 1,
            UpdateOutcome::Removed => self.change -= 1,
            UpdateOutcome::Kept => {}
            UpdateOutcome::Ignored => self.ignored += 1,
        }
    }
}
