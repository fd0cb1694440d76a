//! [`Policing`]: what a policy refuses of a VNI's announcements.
//!
//! A refused route is kept, *filtered*, with the member that announces it: it counts towards the member's limits,
//! and a policy that allows it lets it in. It is in no view, no journal and no index. Few VNIs have any.

use std::collections::{BTreeMap, VecDeque};

use ahash::{AHashMap, RandomState};
use indexmap::IndexMap;

use super::member::Origin;
use crate::ids::{PeerId, ShardId};
use crate::policy::{Example, OnRefusal, Refusal};
use crate::wire::{Destination, NextHop};

/// A refusal that the shard of the peer's connection reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Notice {
    pub(crate) peer: PeerId,
    pub(crate) shard: ShardId,
    pub(crate) refusal: Refusal,
    pub(crate) example: Example,
}

/// Filtered routes of one member.
#[derive(Debug)]
struct ByMember {
    routes: IndexMap<(Destination, NextHop), Refusal, RandomState>,
    /// A bit for each reason of which its shard has been told.
    told: u16,
}

/// A look at all routes of the VNI, after the policy or a member's class has changed.
#[derive(Debug, Default)]
pub(super) struct Review {
    /// The place to go on at, the end of the places when the review began, and the number of places that are left.
    /// Routes that came later were judged when they came.
    place: u32,
    end: u32,
    left: u32,
    /// Members whose filtered routes are still to be looked at, and how many routes of the first member.
    members: VecDeque<u32>,
    at: Option<usize>,
}

impl Review {
    /// The next place, once round.
    pub(super) fn next_place(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let place = if self.place < self.end { self.place } else { 0 };
        self.place = place + 1;
        Some(place)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Policing {
    members: AHashMap<u32, ByMember>,
    hasher: RandomState,
    filtered: u64,
    notices: Vec<Notice>,
    /// Refusals and warnings since the last call of [`Policing::take_tally`].
    tally: BTreeMap<Refusal, u64>,
    /// Members with a route that the policy let in and that found no room.
    lost: Vec<u32>,
    pub(super) review: Option<Review>,
}

impl Policing {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            members: AHashMap::with_hasher(hasher.clone()),
            hasher,
            filtered: 0,
            notices: Vec::new(),
            tally: BTreeMap::new(),
            lost: Vec::new(),
            review: None,
        }
    }

    /// Whether it can be dropped: it also notes which reasons peers' shards have been told of, but the shards note
    /// these as well.
    pub(super) fn is_idle(&self) -> bool {
        self.filtered == 0
            && self.lost.is_empty()
            && self.notices.is_empty()
            && self.tally.is_empty()
            && self.review.is_none()
    }

    /// Whether there are tallies, notices or lost routes to take.
    pub(super) fn has_news(&self) -> bool {
        !(self.tally.is_empty() && self.notices.is_empty() && self.lost.is_empty())
    }

    /// Filtered routes of all members.
    pub(super) fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Keeps a refused route. `false` when it is kept already.
    pub(super) fn keep(
        &mut self,
        member: u32,
        route: (Destination, NextHop),
        refusal: Refusal,
    ) -> bool {
        let is_new = self.of(member).routes.insert(route, refusal).is_none();
        self.filtered += u64::from(is_new);
        is_new
    }

    /// Whether a route of a member is kept.
    pub(super) fn has(&self, member: u32, route: &(Destination, NextHop)) -> bool {
        self.members.get(&member).is_some_and(|entry| entry.routes.contains_key(route))
    }

    /// Removes a route. `false` when there is none.
    pub(super) fn remove(&mut self, member: u32, route: &(Destination, NextHop)) -> bool {
        let Some(entry) = self.members.get_mut(&member) else { return false };
        let is_removed = entry.routes.swap_remove(route).is_some();
        self.filtered -= u64::from(is_removed);
        is_removed
    }

    /// Forgets a member that has left, and returns the number of its filtered routes.
    pub(super) fn forget(&mut self, member: u32) -> u32 {
        let Some(entry) = self.members.remove(&member) else { return 0 };
        let count = entry.routes.len();
        self.filtered -= count as u64;
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Counts a refusal or a warning. The shard of the peer's connection learns of the first for each reason, and of
    /// each that closes the session: an earlier one for the same reason may have been a warning.
    pub(super) fn note(&mut self, member: u32, origin: Origin, refusal: Refusal, example: Example) {
        *self.tally.entry(refusal).or_default() += 1;
        let bit = 1 << (refusal.reason as u16);
        let told = &mut self.of(member).told;
        if *told & bit == 0 || refusal.then == OnRefusal::Close {
            *told |= bit;
            let Origin { peer, shard, .. } = origin;
            self.notices.push(Notice { peer, shard, refusal, example });
        }
    }

    fn of(&mut self, member: u32) -> &mut ByMember {
        let hasher = &self.hasher;
        self.members
            .entry(member)
            .or_insert_with(|| ByMember { routes: IndexMap::with_hasher(hasher.clone()), told: 0 })
    }

    /// Notes a route of a member that was let in and found no room.
    pub(super) fn lose(&mut self, member: u32) {
        self.lost.push(member);
    }

    /// Takes the members with such routes.
    pub(super) fn take_lost(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.lost)
    }

    /// Takes the notices for the shards of the peers' connections.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Takes the counts of refusals and warnings.
    pub(super) fn take_tally(&mut self) -> BTreeMap<Refusal, u64> {
        std::mem::take(&mut self.tally)
    }

    /// All filtered routes, each with its member and its refusal.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (u32, &(Destination, NextHop), Refusal)> + '_ {
        self.members.iter().flat_map(|(member, entry)| {
            entry.routes.iter().map(|(route, refusal)| (*member, route, *refusal))
        })
    }

    /// Filtered routes of one member, from the last `left` of them backwards to the first: the routes still to
    /// come stay where they are when others are removed. A route that moves may come twice.
    pub(super) fn of_member(
        &self,
        member: u32,
        left: Option<u32>,
    ) -> impl Iterator<Item = (u32, &(Destination, NextHop), Refusal)> + '_ {
        let routes = self.members.get(&member).map(|entry| &entry.routes);
        let length = routes.map_or(0, |routes| u32::try_from(routes.len()).unwrap_or(u32::MAX));
        let begin = left.unwrap_or(length).min(length);
        (0..begin).rev().filter_map(move |at| {
            let (route, refusal) = routes?.get_index(usize::try_from(at).ok()?)?;
            Some((at, route, *refusal))
        })
    }

    /// Begins a review of this number of places, or lets a review that is under way go round once more.
    pub(super) fn begin_review(&mut self, places: u32) {
        let members = self.members.iter().filter(|(_, entry)| !entry.routes.is_empty());
        let members = members.map(|(member, _)| *member).collect();
        let place = self.review.as_ref().map_or(0, |review| review.place);
        self.review = Some(Review { place, end: places, left: places, members, at: None });
    }

    /// The next filtered route to review. The routes still to come stay where they are when this route is
    /// removed.
    pub(super) fn next_filtered(&mut self) -> Option<(u32, (Destination, NextHop))> {
        let review = self.review.as_mut()?;
        loop {
            let &member = review.members.front()?;
            let routes = self.members.get(&member).map(|entry| &entry.routes);
            let length = routes.map_or(0, IndexMap::len);
            let at = review.at.unwrap_or(length).min(length);
            if let Some((routes, at)) = routes.zip(at.checked_sub(1))
                && let Some((route, _)) = routes.get_index(at)
            {
                review.at = Some(at);
                return Some((member, *route));
            }
            review.members.pop_front();
            review.at = None;
        }
    }
}
