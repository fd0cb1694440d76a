//! [`Vnet`]: what happens to one VNI. See the folder's documentation.

use std::sync::Arc;

use ahash::RandomState;

use super::ages::Ages;
use super::batch::{Audience, Batch};
use super::bounds::TableBounds;
use super::choice::{Chosen, Preferred};
use super::chunk::Cache;
use super::cursor::Cursor;
use super::filtered::Policing;
use super::held::Stale;
use super::journal::Journal;
use super::member::{Member, Origin, Subscription};
use super::members::Members;
use super::retention::Retention;
use super::rib::LocRib;
use super::slab::NONE;
use super::view::View;
use crate::ids::{Moment, PeerId, ShardId};
use crate::wire::Vni;

/// The effect of an announcement or withdrawal on the announcer's own routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UpdateOutcome {
    /// It announces one route more.
    Added,
    /// It announces one route fewer.
    Removed,
    /// It announces as many as before: a route that a policy had refused is reflected now.
    Kept,
    /// A repeated ADD, a REMOVE of a route that it does not announce, or an ADD for a destination with the largest
    /// allowed number of next hops ([`TableBounds::next_hops`]).
    Ignored,
}

/// A member that left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Left {
    /// The shard of its connection, which may be gone.
    pub(crate) shard: ShardId,
    /// Routes it announced.
    pub(crate) routes: u32,
}

/// The number of batches that subscribers need not have taken before more is withdrawn.
const AHEAD: usize = 4;

/// A VNI. See the folder's documentation.
#[derive(Debug)]
pub(crate) struct Vnet {
    pub(crate) vni: Vni,
    pub(super) bounds: TableBounds,
    pub(super) routes: LocRib,
    pub(super) journal: Journal,
    /// The start of the open batch.
    pub(super) open: u64,
    /// The newest change before `open` of any destination in the open batch.
    pub(super) latest_prev: Option<u64>,
    pub(super) members: Members,
    pub(super) retention: Retention,
    pub(super) cache: Cache,
    /// The routes that a policy refuses; `None` while it refuses none.
    pub(super) policing: Option<Box<Policing>>,
    /// Routes of peers that are gone and may come back; `None` while there are none.
    pub(super) stale: Option<Box<Stale>>,
    /// Routes that subscribers with one next hop go on to receive although others have a lower address.
    pub(super) preferred: Preferred,
    /// The chosen routes of destinations with many routes, as far as they are known.
    pub(super) known_chosen: Chosen,
    pub(super) sealed: Vec<(Audience, Arc<Batch>)>,
    /// When the update that is being applied was received; set by the caller.
    pub(crate) clock: Moment,
    /// When the first update of the open batch was received.
    pub(super) open_since: Moment,
    pub(super) ages: Ages,
    /// Since when withdrawals have waited for subscribers to take earlier ones; kept by the caller.
    pub(crate) ahead_since: Option<Moment>,
    /// Changes that were merged into an earlier one of the open batch; taken by the caller.
    pub(crate) coalesced: u64,
    /// Looks at next hops that changes have cost or will cost when they are sealed, for subscribers with one next hop of
    /// each destination; taken by the caller.
    pub(super) looks: u32,
    /// Whether clients' batches are encoded even if there is no subscriber.
    pub(crate) is_monitored: bool,
}

impl Vnet {
    /// An empty VNI. `hasher` carries the process's random seeds: prefixes come from the network.
    pub(crate) fn new(vni: Vni, bounds: TableBounds, hasher: RandomState) -> Self {
        Self {
            vni,
            bounds,
            routes: LocRib::new(bounds.next_hops, hasher.clone()),
            journal: Journal::default(),
            open: 0,
            latest_prev: None,
            members: Members::new(hasher),
            retention: Retention::new(&bounds),
            cache: Cache::default(),
            policing: None,
            stale: None,
            preferred: None,
            known_chosen: None,
            sealed: Vec::new(),
            clock: Moment::default(),
            open_since: Moment::default(),
            ages: Ages::default(),
            ahead_since: None,
            coalesced: 0,
            looks: 0,
            is_monitored: false,
        }
    }

    /// Gives the next change this position. Only before the first change.
    pub(super) fn begin_at(&mut self, position: u64) {
        self.journal = Journal::beginning_at(position);
        (self.open, self.retention.trimmed_at, self.retention.needless) =
            (position, position, position);
    }

    /// Begins the open batch at the head: all entries of the journal have been sealed.
    pub(super) fn begin_batch(&mut self) {
        let head = self.journal.head();
        (self.open, self.retention.trimmed_at, self.latest_prev) = (head, head, None);
    }

    /// The start of the open batch: a subscriber in sync knows everything before it.
    pub(crate) fn begins_at(&self) -> u64 {
        self.open
    }

    /// The number of announced routes.
    pub(crate) fn routes(&self) -> usize {
        self.routes.announced()
    }

    /// Whether the VNI can be dropped.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.routes.held() == 0
    }

    /// The numbers of routes held, tombstones included, and of journal entries.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.routes.held(), self.journal.len())
    }

    /// The number of remembered chunks.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.cache.cursors().count()
    }

    /// Whether there is anything to trim or withdraw.
    pub(crate) fn lingers(&self) -> bool {
        let Self { journal, members, cache, .. } = self;
        journal.len() > 0 || members.has_idle() || self.has_work() || !cache.is_empty()
    }

    /// The number of in-sync subscribers on a shard.
    pub(crate) fn in_sync_on(&self, shard: ShardId, audience: Audience) -> u32 {
        self.members.in_sync_on(shard, audience)
    }

    /// The number under which a peer is known here; gives it one if need be. The number is stable until the peer
    /// leaves, so that a run of updates looks it up once.
    pub(crate) fn member(&mut self, origin: Origin) -> u32 {
        if let Some(member) = self.members.find(origin.peer) {
            let entry = &self.members[member];
            if entry.announced() == 0 && entry.origin.rights != origin.rights {
                self.set_rights(member, origin.rights);
            }
            return member;
        }
        // All at once, for a caller that has not done it in portions.
        self.finish_leaving(origin.peer, usize::MAX);
        let member = self.members.add(origin, self.journal.base());
        self.forget_filtered(member); // notes about the last member with that number
        member
    }

    /// The number of routes that a member announces, including those that a policy refuses.
    pub(crate) fn announced_by(&self, member: u32) -> u32 {
        self.members[member].announced()
    }

    /// Whether a peer announces or subscribes here. Routes that it left behind when it left do not count.
    pub(crate) fn takes_part(&self, peer: PeerId) -> bool {
        self.members.find(peer).is_some_and(|member| {
            let entry = &self.members[member];
            entry.announced() > 0 || !matches!(entry.subscription, Subscription::None)
        })
    }

    /// Whether a peer subscribes here.
    pub(crate) fn is_subscriber(&self, peer: PeerId) -> bool {
        let member = self.members.find(peer).map(|member| &self.members[member]);
        member.is_some_and(|member| !matches!(member.subscription, Subscription::None))
    }

    /// Whether a peer has left and its routes may still be here.
    pub(crate) fn has_left(&self, peer: PeerId) -> bool {
        self.members.find_left(peer).is_some()
    }

    /// Withdraws up to `budget` routes that a peer left behind when it left; `true` when none is left
    /// and it may be a member again.
    pub(crate) fn finish_leaving(&mut self, peer: PeerId, budget: usize) -> bool {
        let Some(member) = self.members.find_left(peer) else { return true };
        self.withdraw_some(member, budget);
        if self.members[member].routes > 0 {
            return false;
        }
        self.members.is_gone(member, self.journal.head());
        true
    }

    /// Subscribes a member: it gets the whole view by asking for chunks. `false` when it is
    /// subscribed already.
    pub(crate) fn subscribe(&mut self, member: u32) -> bool {
        let entry = &mut self.members[member];
        if !matches!(entry.subscription, Subscription::None) {
            return false;
        }
        entry.dump_to = Some(self.journal.head());
        entry.subscribed = self.clock;
        self.members.set_behind(member, Cursor::join());
        true
    }

    /// Ends a peer's part in this VNI: its subscription at once, its routes by [`Vnet::work`].
    /// `None` when the peer takes no part.
    pub(crate) fn leave(&mut self, peer: PeerId) -> Option<Left> {
        self.forget_stale(peer);
        let filtered = self.members.find(peer).map_or(0, |member| self.forget_filtered(member));
        let member = self.members.leave(peer, self.journal.head())?;
        self.forget_preferences();
        let Member { routes, origin, .. } = self.members[member];
        Some(Left { shard: origin.shard, routes: routes + filtered })
    }

    /// Withdraws up to `budget` routes of members that left, and stale routes whose time is over. Returns the rest of
    /// the budget.
    pub(crate) fn work(&mut self, mut budget: usize) -> usize {
        while budget > 0
            && let Some(&member) = self.members.leaving().last()
        {
            budget = self.withdraw_some(member, budget);
            if self.members[member].routes == 0 {
                self.members.is_gone(member, self.journal.head());
            }
        }
        self.sweep_some(budget)
    }

    /// Whether many subscribers still have to take batches sealed a few batches ago. More batches than they
    /// take become work for all: they would fall behind and go on by cursor, each from its own position.
    /// A quarter may be slow, and a peer that reads nothing soon holds no batches any more.
    pub(crate) fn is_ahead(&self) -> bool {
        let pin = self.retention.pins.iter().nth_back(AHEAD);
        pin.is_some_and(|pin| 4 * pin.batch.strong_count() > pin.subscribers)
    }

    /// Whether [`Vnet::work`] has anything to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.members.leaving().is_empty() || self.has_sweeps()
    }

    /// Batches sealed since the last call, in order.
    pub(crate) fn take_sealed(&mut self) -> Vec<(Audience, Arc<Batch>)> {
        std::mem::take(&mut self.sealed)
    }

    /// The present view of a route.
    pub(super) fn view(&self, route: u32) -> View {
        let view = self.routes.view(route, |m| self.members[m].origin.is_server);
        view.preferred(view.is_announced() && self.is_preferred(route))
    }

    /// Removes a member from a route's announcers; `false` when it is no announcer.
    pub(super) fn withdraw(&mut self, route: u32, member: u32) -> bool {
        let before = self.view(route);
        let mut after = View::NOBODY;
        if before.sole_member() == Some(member) {
            self.routes.retract(route);
        } else {
            if !self.withdraw_one_of_several(route, member) {
                return false;
            }
            after = self.view(route);
        }
        self.members[member].routes -= 1;
        self.members.note_idle(member);
        self.changed(route, before, after);
        true
    }

    /// Removes a member from the announcers of a route with other announcers; it may be no announcer itself.
    fn withdraw_one_of_several(&mut self, route: u32, member: u32) -> bool {
        if self.routes.route(route).primary() != Some(member) {
            let list = &mut self.members[member].further;
            return self.routes.remove_further(route, member, list);
        }
        let Some(successor) = self.routes.further_of(route).next() else { return false };
        let list = &mut self.members[successor].further;
        self.routes.remove_further(route, successor, list);
        self.enlist(route, successor);
        true
    }

    /// Withdraws routes of a member until none is left or the budget is spent.
    fn withdraw_some(&mut self, member: u32, mut budget: usize) -> usize {
        while budget > 0 {
            let looks = self.looks;
            let entry = &self.members[member];
            match entry.first {
                NONE if entry.further == NONE => break,
                NONE => {
                    let route = self.routes.first_further(entry.further);
                    self.withdraw(route, member);
                }
                route => {
                    if self.routes.route(route).is_announced() {
                        self.withdraw(route, member);
                    }
                    self.delist(route, Some(member));
                }
            }
            budget = budget.saturating_sub(1 + self.cost_since(looks));
        }
        budget
    }

    /// Gives a withdrawn route the announcers that it had elsewhere, the primary one first.
    /// `false` when one of them comes twice. Nothing is noted as a change.
    pub(super) fn restore_announcers(
        &mut self,
        route: u32,
        announcers: impl IntoIterator<Item = u32>,
    ) -> bool {
        for member in announcers {
            let is_primary = !self.routes.route(route).is_announced();
            let entry = &mut self.members[member];
            let is_server = entry.origin.is_server;
            if !self.routes.add_announcer(route, member, is_server, &mut entry.further) {
                return false;
            }
            entry.routes += 1;
            if is_primary {
                self.enlist(route, member);
            }
        }
        true
    }

    /// Makes a member a route's primary announcer, and puts the route into its list.
    pub(super) fn enlist(&mut self, route: u32, member: u32) {
        let lister = self.routes.route(route).lister();
        if lister == Some(member) {
            return self.routes.restore(route);
        }
        self.delist(route, lister);
        self.routes.link(route, member, &mut self.members[member].first);
    }

    /// Takes a route out of a member's list, if it is there.
    pub(super) fn delist(&mut self, route: u32, member: Option<u32>) {
        if let Some(member) = member.filter(|_| self.routes.route(route).lister() == member) {
            self.routes.unlink(route, &mut self.members[member].first);
        }
    }

    /// Forgets a tombstone that the journal no longer mentions.
    pub(super) fn free_route(&mut self, route: u32) {
        self.forget_beside(route);
        self.delist(route, self.routes.route(route).lister());
        self.routes.free(route);
    }

    /// The newest change of a route's destination, if the journal holds it.
    #[inline]
    pub(super) fn last_change(&self, route: u32) -> Option<u64> {
        let position = self.journal.position(self.routes.last_change(route))?;
        let changed = self.journal.get(position)?.route;
        self.routes.share_destination(changed, route).then_some(position)
    }

    /// Notes that a route's view was `before` and is `after` now.
    #[inline]
    pub(super) fn changed(&mut self, route: u32, before: View, after: View) {
        if after == before {
            return;
        }
        if self.preferred.is_some() || self.members.has_choosers() {
            self.choose(route, before, after);
        }
        if self.note_change(route, before) {
            self.seal_if_full();
        }
    }

    /// Notes in the journal that a route's view was `before`. `false` when the open batch says so already.
    #[inline]
    pub(super) fn note_change(&mut self, route: u32, before: View) -> bool {
        if self.routes.is_first(route) {
            self.cache.forget_first();
        }
        let own =
            self.journal.position(self.routes.route(route).changed).filter(|&p| p >= self.open);
        if let Some(own) = own.filter(|&p| self.journal.at(p).route == route) {
            self.journal.set_ends(own);
            self.coalesced += 1;
            return false; // the open batch has its earliest view already
        }
        let prev = self.last_change(route);
        let position = self.journal.push(route, before, prev);
        if self.members.has_choosers() && prev.is_none_or(|prev| prev < self.open) {
            self.look_at_all_of(route); // when the batch is sealed
        }
        self.routes.set_changed(route, Journal::stamp(position));
        self.note_appended(position, prev);
        true
    }
}
