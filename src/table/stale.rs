//! Routes of peers that are gone without a word and may come back; `held` has what is known of them.
//!
//! Such a peer stays a member for a time, without a subscription, and its routes stay as they are. If a peer with the
//! same [`Kin`] takes part here, it becomes that member, under the number of its own connection: it does not get the
//! routes that it announced itself, and routes that it announces again are sent to no peer. When the time is over,
//! [`Vnet::work`] withdraws the routes that it has not announced again. A STANDARD next hop that is announced anew
//! meanwhile replaces the stale ones of its destination at once (RFC 4724 has no such rule: there a router's own routes
//! return, here a virtual machine may have moved).
//!
//! **Cost**: none for a VNI without such routes but one look for each run of updates. With such routes, a STANDARD route
//! that is announced anew costs a look at the other routes of its destination and at their announcers; one that is
//! announced again does not.

use smallvec::SmallVec;

use super::apply::Applied;
use super::held::{Adopted, Held, HeldParts, Hold, Places};
use super::member::{Origin, Subscription};
use super::rib::Announcement;
use super::slab::NONE;
use super::vnet::{UpdateOutcome, Vnet};
use crate::ids::{Kin, Moment, PeerId};
use crate::policy::Terms;
use crate::wire::{Action, Destination, NextHop, NextHopType};

/// The largest number of peers of one VNI whose routes are kept; routes of other peers are withdrawn at once.
const MOST: usize = 1024;
/// The largest number of peers of one source: it could come and go under ever new names.
const MOST_OF_SOURCE: usize = 8;

/// The stale routes that a route has replaced.
#[derive(Clone, Copy, Default)]
struct Superseded {
    is_any: bool,
    /// The number of them that its announcer announced itself.
    own: i64,
}

impl Vnet {
    /// Keeps the routes of a peer that is gone. `None` when it has no routes, or too many peers are gone already: then
    /// the caller lets it leave as usual.
    pub(crate) fn hold(&mut self, peer: PeerId, hold: Hold) -> Option<u32> {
        let member = self.members.find(peer)?;
        let stale = self.stale.get_or_insert_default();
        let before = stale.held.get(&member).filter(|held| held.peer == peer);
        let of_source = stale.held.values().filter(|held| held.hold.kin.shares_source(hold.kin));
        let is_full = stale.held.len() >= MOST || of_source.count() >= MOST_OF_SOURCE;
        // A peer that came back for less than this time does not prolong it.
        let until = before.map_or(hold.until, |held| held.hold.until.min(hold.until));
        if before.is_none() && is_full || self.members[member].routes == 0 {
            self.end_stale();
            return None;
        }
        let hold = Hold { until, ..hold };
        stale.held.insert(member, Held { peer, hold, fresh: None, sweep: None });
        let filtered = self.forget_filtered(member);
        self.members.unsubscribe(member);
        self.forget_preferences();
        self.members[member].dump_to = None;
        Some(filtered)
    }

    /// A peer that takes no part here takes over the kept routes of its kin, if there are any.
    pub(crate) fn adopt(&mut self, origin: Origin, kin: Kin) -> Option<Adopted> {
        let stale = self.stale.as_mut()?;
        let members = &self.members;
        if members.find(origin.peer).is_some() || members.find_left(origin.peer).is_some() {
            return None;
        }
        let is_its = |(member, held): &(&u32, &mut Held)| {
            held.fresh.is_none()
                && held.sweep.is_none()
                && held.hold.kin == kin
                && members.find(held.peer) == Some(**member)
                && members[**member].origin.is_server == origin.is_server
        };
        let (&member, held) = stale.held.iter_mut().find(is_its)?;
        held.peer = origin.peer;
        held.fresh = Some(Places::with_hasher(members.hasher()));
        let is_to_judge = members[member].origin.rights != origin.rights;
        self.members.rename(member, origin);
        self.cache.forget_all();
        Some(Adopted { routes: self.members[member].routes, is_to_judge })
    }

    /// Whether there are stale routes, or notes about them.
    #[inline]
    pub(crate) fn has_stale(&self) -> bool {
        self.stale.is_some()
    }

    fn all_held(&self) -> impl Iterator<Item = &Held> {
        self.stale.iter().flat_map(|stale| stale.held.values())
    }

    /// The number of stale routes. Cost: a look at each peer that has some.
    pub(crate) fn stale_routes(&self) -> u64 {
        let routes = self.all_held().map(|held| {
            let member = self.members.find(held.peer);
            let routes = member.map_or(0, |member| u64::from(self.members[member].routes));
            routes.saturating_sub(held.fresh.as_ref().map_or(0, |fresh| fresh.len() as u64))
        });
        routes.sum()
    }

    /// Applies updates of a member while there are stale routes.
    pub(super) fn update_beside_stale(
        &mut self,
        member: u32,
        updates: &[Announcement],
        terms: Option<&Terms<'_>>,
    ) -> Applied {
        let mut applied = Applied::default();
        let mut withdraws = false;
        for update in updates {
            let Announcement { action, destination, next_hop } = update;
            let found = self.routes.find_one(destination, next_hop);
            let outcome = self.update_found(member, update, found, terms);
            applied.count(outcome);
            let Some(route) = self.routes.find(destination, next_hop) else { continue };
            if *action == Action::Remove {
                self.no_longer_fresh(member, route);
                withdraws = true;
            } else if self.routes.is_announced_by(route, member) {
                let is_new = self.note_fresh(member, route) || outcome == UpdateOutcome::Added;
                if is_new && next_hop.kind() == NextHopType::Standard {
                    let superseded = self.supersede(member, route);
                    applied.change -= superseded.own;
                    withdraws |= superseded.is_any;
                }
            }
        }
        if withdraws {
            self.end_stale();
        }
        applied
    }

    fn held_of(&mut self, member: u32) -> Option<&mut Held> {
        let peer = self.members[member].origin.peer;
        self.stale.as_mut()?.held.get_mut(&member).filter(|held| held.peer == peer)
    }

    /// Notes that a peer that came back has announced a route. `false` when that is noted already, or the peer is none
    /// of those that came back.
    fn note_fresh(&mut self, member: u32, route: u32) -> bool {
        let fresh = self.held_of(member).and_then(|held| held.fresh.as_mut());
        fresh.is_some_and(|fresh| fresh.insert(route))
    }

    /// Notes that a review has let in a route of a member: like a route that is announced now, it is fresh, and it
    /// replaces stale next hops.
    pub(super) fn note_admitted(&mut self, member: u32, to: &Destination, hop: &NextHop) {
        let Some(route) = self.routes.find(to, hop) else { return };
        self.note_fresh(member, route);
        if hop.kind() == NextHopType::Standard {
            self.supersede(NONE, route);
        }
    }

    /// Notes that the policy refuses a stale route of a member. The route is not kept as filtered: the peer has not
    /// announced it since it came back, and may never do so.
    pub(super) fn lose_stale(&mut self, member: u32) {
        self.note_lost(member, NONE);
    }

    pub(super) fn no_longer_fresh(&mut self, member: u32, route: u32) {
        if self.routes.is_announced_by(route, member) {
            return;
        }
        if let Some(fresh) = self.held_of(member).and_then(|held| held.fresh.as_mut()) {
            fresh.remove(&route);
        }
    }

    /// Withdraws stale STANDARD routes of the destination of a route, because of an update of the member `by`, or of no
    /// update (`NONE`).
    fn supersede(&mut self, by: u32, route: u32) -> Superseded {
        let destination = *self.routes.route(route).destination();
        let others: SmallVec<[u32; 4]> = self
            .routes
            .of_destination(&destination)
            .filter(|&other| {
                other != route
                    && self.routes.route(other).is_announced()
                    && self.routes.next_hop_of(other).kind() == NextHopType::Standard
            })
            .collect();
        let mut superseded = Superseded::default();
        for other in others {
            for holder in self.stale_announcers(other) {
                self.withdraw(other, holder);
                self.note_lost(holder, by);
                superseded.is_any = true;
                superseded.own += i64::from(holder == by);
            }
        }
        superseded
    }

    /// Members whose announcement of a route is stale. Cost: a look at each of its announcers, or at each peer with stale
    /// routes if these are fewer.
    fn stale_announcers(&self, route: u32) -> SmallVec<[u32; 4]> {
        let Some(stale) = &self.stale else { return SmallVec::new() };
        let is_stale = |member: &u32, held: &Held| {
            held.peer == self.members[*member].origin.peer && !held.has_fresh(route)
        };
        if stale.held.len() <= self.routes.further_count(route) as usize {
            let stale = stale.held.iter().filter(|(member, held)| is_stale(member, held));
            let members = stale.map(|(&member, _)| member);
            return members.filter(|&member| self.routes.is_announced_by(route, member)).collect();
        }
        let announcers = self.routes.route(route).primary().into_iter();
        let announcers = announcers.chain(self.routes.further_of(route));
        let of = |member: &u32| stale.held.get(member).is_some_and(|held| is_stale(member, held));
        announcers.filter(of).collect()
    }

    /// Whether a route is kept for an announcer whose session has ended.
    pub(super) fn is_stale_announcer(&self, peer: PeerId, route: u32) -> bool {
        let held = self.stale.as_ref().zip(self.members.find(peer));
        let held = held.and_then(|(stale, member)| stale.held.get(&member));
        held.is_some_and(|held| held.peer == peer && !held.has_fresh(route))
    }

    /// Notes that a member announces one route fewer. A present peer's shard is told, unless the peer's own update is
    /// the reason.
    fn note_lost(&mut self, member: u32, by: u32) {
        let is_here = self.held_of(member).is_some_and(|held| held.fresh.is_some());
        let peer = self.members[member].origin.peer;
        let Some(stale) = &mut self.stale else { return };
        if is_here && member != by {
            match stale.lost.iter_mut().find(|(lost, _)| *lost == peer) {
                Some((_, count)) => *count += 1,
                None => stale.lost.push((peer, 1)),
            }
        }
    }

    /// Takes the peers that announce fewer routes because stale ones are gone: how many fewer, and their present
    /// number.
    pub(crate) fn take_lost_stale(&mut self) -> Vec<(Origin, i64, u32)> {
        let lost = self.stale.as_mut().map(|it| std::mem::take(&mut it.lost)).unwrap_or_default();
        if lost.is_empty() {
            return Vec::new();
        }
        let count = |(peer, count): (PeerId, i64)| {
            let member = &self.members[self.members.find(peer)?];
            Some((member.origin, count, member.announced()))
        };
        let counts = lost.into_iter().filter_map(count).collect();
        self.end_stale();
        counts
    }

    /// When the time of the first stale routes is over; `None` without any.
    pub(crate) fn stale_until(&self) -> Option<Moment> {
        self.all_held().filter(|held| held.sweep.is_none()).map(|held| held.hold.until).min()
    }

    /// Ends the time of stale routes: from now on [`Vnet::work`] withdraws those whose time is over.
    pub(crate) fn expire_stale(&mut self, now: Moment) {
        let end = self.routes.end();
        let Some(stale) = &mut self.stale else { return };
        let mut gone = Vec::new();
        stale.held.retain(|_, held| {
            if held.hold.until > now || held.sweep.is_some() {
                return true;
            }
            held.sweep = Some((0, end));
            if held.fresh.is_none() {
                gone.push(held.peer);
            }
            held.fresh.is_some()
        });
        for peer in gone {
            self.leave(peer);
        }
        self.end_stale();
    }

    /// Whether stale routes of present peers are to be withdrawn.
    pub(super) fn has_sweeps(&self) -> bool {
        self.all_held().any(|held| held.sweep.is_some())
    }

    /// Looks at up to `budget` places for stale routes of present peers. Returns the rest of the budget.
    pub(super) fn sweep_some(&mut self, mut budget: usize) -> usize {
        while budget > 0 {
            let mut held = self.stale.iter().flat_map(|stale| &stale.held);
            let Some((&member, _)) = held.find(|(_, held)| held.sweep.is_some()) else { break };
            budget = self.sweep_of(member, budget);
        }
        self.end_stale();
        budget
    }

    /// The same for the stale routes of one peer.
    fn sweep_of(&mut self, member: u32, mut budget: usize) -> usize {
        while budget > 0 {
            let Some(stale) = &mut self.stale else { break };
            let held = stale.held.get_mut(&member);
            let is_there = |held: &&mut Held| self.members.find(held.peer) == Some(member);
            let sweep = held.filter(is_there).and_then(|held| Some((held.sweep?, held)));
            let Some(((place, end), held)) = sweep.filter(|((place, end), _)| place < end) else {
                stale.held.remove(&member);
                break;
            };
            held.sweep = Some((place + 1, end));
            let looks = self.looks;
            let is_fresh = held.has_fresh(place);
            let is_its = self.routes.is_held(place) && self.routes.is_announced_by(place, member);
            if is_its && !is_fresh {
                self.withdraw(place, member);
                self.note_lost(member, NONE);
            }
            budget = budget.saturating_sub(1 + self.cost_since(looks));
        }
        budget
    }

    /// Forgets all that is kept of a peer that has left.
    pub(super) fn forget_stale(&mut self, peer: PeerId) {
        if let Some(stale) = &mut self.stale {
            stale.held.retain(|_, held| held.peer != peer);
            stale.lost.retain(|(lost, _)| *lost != peer);
            self.end_stale();
        }
    }

    /// Drops peers that are no members any more, and the whole state when nothing is left.
    fn end_stale(&mut self) {
        let members = &self.members;
        if let Some(stale) = &mut self.stale {
            // A peer whose last route was withdrawn may be no member any more.
            stale.held.retain(|member, held| members.find(held.peer) == Some(*member));
            if stale.held.is_empty() && stale.lost.is_empty() {
                self.stale = None;
            }
        }
    }

    /// Peers with stale routes, for the portable form. A peer whose time is over is written like the others.
    pub(super) fn held_members(&self) -> impl Iterator<Item = HeldParts<'_>> {
        self.stale.iter().flat_map(|stale| &stale.held).filter_map(|(&member, held)| {
            let Held { hold, fresh, .. } = held;
            let is_member = self.members.find(held.peer) == Some(member);
            is_member.then_some(HeldParts { member, hold: *hold, fresh: fresh.as_ref() })
        })
    }

    /// Takes over a member with stale routes from another process. `false` when it subscribes and is gone, or comes
    /// twice.
    pub(super) fn restore_held(&mut self, member: u32, hold: Hold, fresh: Option<Places>) -> bool {
        let Origin { peer, .. } = self.members[member].origin;
        let subscribes = !matches!(self.members[member].subscription, Subscription::None);
        let stale = self.stale.get_or_insert_default();
        if stale.held.contains_key(&member) || fresh.is_none() && subscribes {
            return false;
        }
        stale.held.insert(member, Held { peer, hold, fresh, sweep: None });
        true
    }
}
