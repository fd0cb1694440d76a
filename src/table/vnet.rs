//! [`Vnet`]: what happens to one VNI. See the folder's documentation.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use ahash::{AHashMap, RandomState};

use super::ages::Ages;
use super::batch::{Audience, Batch};
use super::bounds::Bounds;
use super::catch_up::{Cache, Cursor};
use super::compact::Pass;
use super::journal::{Journal, View};
use super::member::{Member, Origin, Subscription};
use super::rib::LocRib;
use super::slab::NONE;
use crate::ids::{Moment, PeerId, ShardId};
use crate::wire::Vni;

/// What an announcement or withdrawal did to the announcer's own routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It announces one route more.
    Added,
    /// It announces one route fewer.
    Removed,
    /// A repeated ADD, a REMOVE of what it does not announce, or an ADD for a destination that has as
    /// many next hops as it may have ([`Bounds::next_hops`]).
    Ignored,
}

/// A member that left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Left {
    /// Where its connection lives or lived.
    pub(crate) shard: ShardId,
    /// Routes it announced.
    pub(crate) routes: u32,
}

/// Members that may be of no use any more and are looked at at once.
const IDLE_AT_ONCE: usize = 1024;

/// Batches that subscribers need not have taken before more is withdrawn.
const AHEAD: usize = 4;

/// A sealed batch whose bytes may still wait in some peer's queue.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) start: u64,
    pub(super) batch: Weak<Batch>,
    /// Whom it is for.
    pub(super) subscribers: usize,
}

/// A VNI. See the folder's documentation.
#[derive(Debug)]
pub(crate) struct Vnet {
    pub(crate) vni: Vni,
    pub(super) bounds: Bounds,
    pub(super) routes: LocRib,
    pub(super) journal: Journal,
    /// Where the open batch begins.
    pub(super) open: u64,
    /// The newest change before `open` of any destination in the open batch.
    pub(super) latest_prev: Option<u64>,
    pub(super) members: Vec<Member>,
    /// Freed member places, each with the journal position until which its number is mentioned.
    pub(super) free: VecDeque<(u64, u32)>,
    pub(super) by_peer: AHashMap<PeerId, u32>,
    /// Members whose routes are still being withdrawn.
    pub(super) leaving: Vec<u32>,
    /// The same, by peer.
    left: AHashMap<PeerId, u32>,
    /// Members that announced their last route and are perhaps no longer any use.
    idle: VecDeque<u32>,
    /// Members that are behind.
    pub(super) behind: Vec<u32>,
    /// In-sync subscribers per shard: clients, servers.
    pub(super) in_sync: Vec<[u32; 2]>,
    pub(super) pins: VecDeque<Pin>,
    pub(super) trim_at: usize,
    /// The journal's head when it was trimmed last.
    pub(super) trimmed_at: u64,
    /// Nobody needs the journal before this position.
    pub(super) needless: u64,
    pub(super) compact_at: usize,
    /// A compaction that is under way.
    pub(super) pass: Option<Pass>,
    pub(super) cache: Cache,
    pub(super) sealed: Vec<(Audience, Arc<Batch>)>,
    /// When what is being applied was received; set by the caller.
    pub(crate) clock: Moment,
    /// When the first update of the open batch was received.
    pub(super) open_since: Moment,
    pub(super) ages: Ages,
    /// Changes that went with an earlier one of the open batch; taken by the caller.
    pub(crate) coalesced: u64,
    /// Whether clients' batches are encoded even if there is no subscriber.
    pub(crate) is_tapped: bool,
}

impl Vnet {
    /// An empty VNI. `hasher` carries the process's random seeds: prefixes come from the network.
    pub(crate) fn new(vni: Vni, bounds: Bounds, hasher: RandomState) -> Self {
        Self {
            vni,
            bounds,
            routes: LocRib::new(bounds.next_hops, hasher.clone()),
            journal: Journal::default(),
            open: 0,
            latest_prev: None,
            members: Vec::new(),
            free: VecDeque::new(),
            by_peer: AHashMap::with_hasher(hasher.clone()),
            leaving: Vec::new(),
            left: AHashMap::with_hasher(hasher),
            idle: VecDeque::new(),
            behind: Vec::new(),
            in_sync: Vec::new(),
            pins: VecDeque::new(),
            trim_at: bounds.trim_at,
            trimmed_at: 0,
            needless: 0,
            compact_at: bounds.compact_at,
            pass: None,
            cache: Cache::default(),
            sealed: Vec::new(),
            clock: Moment::default(),
            open_since: Moment::default(),
            ages: Ages::default(),
            coalesced: 0,
            is_tapped: false,
        }
    }

    /// Gives the next change this position, while there has been none.
    pub(super) fn begin_at(&mut self, position: u64) {
        self.journal = Journal::beginning_at(position);
        (self.open, self.trimmed_at, self.needless) = (position, position, position);
    }

    /// Begins the open batch at the head: whatever the journal holds has been sealed.
    pub(super) fn begin_batch(&mut self) {
        let head = self.journal.head();
        (self.open, self.trimmed_at, self.latest_prev) = (head, head, None);
    }

    /// Where the open batch begins: what a subscriber that is in sync knows.
    pub(crate) fn begins_at(&self) -> u64 {
        self.open
    }

    /// Routes that somebody announces.
    pub(crate) fn routes(&self) -> usize {
        self.routes.announced()
    }

    /// Whether nothing is left that would be missed.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_peer.is_empty() && self.leaving.is_empty() && self.routes.held() == 0
    }

    /// Routes held, tombstones included, and journal entries.
    #[cfg(any(test, fuzzing))]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.routes.held(), self.journal.len())
    }

    /// Chunks remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.cache.cursors().count()
    }

    /// Whether there is anything to trim or withdraw.
    pub(crate) fn lingers(&self) -> bool {
        let has_idle = !self.idle.is_empty() && !self.by_peer.is_empty();
        self.journal.len() > 0 || has_idle || !self.leaving.is_empty() || !self.cache.is_empty()
    }

    /// How many in-sync subscribers a shard holds.
    pub(crate) fn in_sync_on(&self, shard: ShardId, audience: Audience) -> u32 {
        self.in_sync.get(shard.index()).map_or(0, |counts| counts[audience as usize])
    }

    /// The number under which a peer is known here, giving it one if need be. Stable until it
    /// leaves, so that a run of updates looks it up once.
    pub(crate) fn member(&mut self, origin: Origin) -> u32 {
        if let Some(&member) = self.by_peer.get(&origin.peer) {
            return member;
        }
        // In one go for whoever has not done it in portions.
        self.finish_leaving(origin.peer, usize::MAX);
        let is_mentioned = |&&(until, member): &&(u64, u32)| {
            until.max(self.members[member as usize].mentioned) > self.journal.base()
        };
        let free = self.free.front().filter(|free| !is_mentioned(free)).copied();
        let member = if let Some((_, member)) = free {
            self.free.pop_front();
            self.members[member as usize] = Member::new(origin);
            member
        } else {
            self.members.push(Member::new(origin));
            u32::try_from(self.members.len() - 1).unwrap_or(NONE)
        };
        self.by_peer.insert(origin.peer, member);
        member
    }

    /// Routes that a member announces.
    pub(crate) fn announced_by(&self, member: u32) -> u32 {
        self.members[member as usize].routes
    }

    /// Whether a peer announces or subscribes here. What it left behind when it left does not count.
    pub(crate) fn takes_part(&self, peer: PeerId) -> bool {
        self.find_member(peer).is_some_and(|member| {
            let entry = &self.members[member as usize];
            entry.routes > 0 || !matches!(entry.subscription, Subscription::None)
        })
    }

    /// Whether a peer has left and routes of it may still be here.
    pub(crate) fn has_left(&self, peer: PeerId) -> bool {
        self.left.contains_key(&peer)
    }

    /// Withdraws up to `budget` routes that a peer left behind when it left; `true` when none is left
    /// and it may be a member again.
    pub(crate) fn finish_leaving(&mut self, peer: PeerId, budget: usize) -> bool {
        let Some(&member) = self.left.get(&peer) else { return true };
        self.withdraw_some(member, budget);
        if self.members[member as usize].routes > 0 {
            return false;
        }
        self.leaving.retain(|m| *m != member);
        self.retire_left(member);
        true
    }

    /// Subscribes a member: it gets the whole view by asking for chunks. `false` when it is
    /// subscribed already.
    pub(crate) fn subscribe(&mut self, member: u32) -> bool {
        let entry = &mut self.members[member as usize];
        if !matches!(entry.subscription, Subscription::None) {
            return false;
        }
        entry.subscription = Subscription::Behind(Box::new(Cursor::join()));
        entry.dump_to = Some(self.journal.head());
        entry.subscribed = self.clock;
        self.list_behind(member);
        true
    }

    /// Ends a peer's part in this VNI: its subscription at once, its routes by [`Vnet::work`].
    /// `None` when it has none.
    pub(crate) fn leave(&mut self, peer: PeerId) -> Option<Left> {
        let member = self.by_peer.remove(&peer)?;
        let entry = &mut self.members[member as usize];
        match std::mem::replace(&mut entry.subscription, Subscription::None) {
            Subscription::None => {}
            Subscription::InSync => {
                self.in_sync[entry.origin.shard.index()][entry.origin.audience() as usize] -= 1;
            }
            Subscription::Behind(_) => self.unlist_behind(member),
        }
        let Member { routes, origin, .. } = self.members[member as usize];
        self.has_been_left(member);
        Some(Left { shard: origin.shard, routes })
    }

    /// Notes that a member has left, of which some routes may still be here.
    pub(super) fn has_been_left(&mut self, member: u32) {
        let Member { routes, origin, .. } = self.members[member as usize];
        if routes == 0 {
            self.retire(member);
        } else {
            self.leaving.push(member);
            self.left.insert(origin.peer, member);
        }
    }

    /// Withdraws up to `budget` routes of members that left. Returns what is left of the budget.
    pub(crate) fn work(&mut self, mut budget: usize) -> usize {
        while budget > 0
            && let Some(&member) = self.leaving.last()
        {
            budget = self.withdraw_some(member, budget);
            if self.members[member as usize].routes == 0 {
                self.leaving.pop();
                self.retire_left(member);
            }
        }
        budget
    }

    /// Whether many subscribers still have to take what was sealed a few batches ago. More than they
    /// take turns into work for all: they would fall behind and go on by cursor, each from where it is.
    /// A quarter may be slow, and a peer that reads nothing soon holds no batches any more.
    pub(crate) fn is_ahead(&self) -> bool {
        let pin = self.pins.iter().nth_back(AHEAD);
        pin.is_some_and(|pin| 4 * pin.batch.strong_count() > pin.subscribers)
    }

    /// Whether [`Vnet::work`] has anything to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Batches sealed since the last call, in order.
    pub(crate) fn take_sealed(&mut self) -> Vec<(Audience, Arc<Batch>)> {
        std::mem::take(&mut self.sealed)
    }

    /// What subscribers see of a route now.
    pub(super) fn view(&self, route: u32) -> View {
        self.routes.view(route, |m| self.members[m as usize].origin.is_server)
    }

    /// The member number of a peer that takes part here.
    pub(super) fn find_member(&self, peer: PeerId) -> Option<u32> {
        self.by_peer.get(&peer).copied()
    }

    /// Marks a member that was behind as in sync with the last sealed batch.
    pub(super) fn caught_up(&mut self, member: u32) {
        self.set_in_sync(member);
        self.unlist_behind(member);
    }

    /// Makes a member an in-sync subscriber.
    pub(super) fn set_in_sync(&mut self, member: u32) {
        let entry = &mut self.members[member as usize];
        entry.subscription = Subscription::InSync;
        let shard = entry.origin.shard.index();
        if self.in_sync.len() <= shard {
            self.in_sync.resize(shard + 1, [0; 2]);
        }
        self.in_sync[shard][entry.origin.audience() as usize] += 1;
    }

    pub(super) fn list_behind(&mut self, member: u32) {
        self.members[member as usize].behind_at = self.behind.len();
        self.behind.push(member);
    }

    fn unlist_behind(&mut self, member: u32) {
        let at = self.members[member as usize].behind_at;
        self.behind.swap_remove(at);
        if let Some(&moved) = self.behind.get(at) {
            self.members[moved as usize].behind_at = at;
        }
    }

    /// Takes a member from a route's announcers; `false` when it is none.
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
        self.members[member as usize].routes -= 1;
        self.note_idle(member);
        self.changed(route, before, after);
        true
    }

    /// Takes a member from the announcers of a route that others announce as well, or others only.
    fn withdraw_one_of_several(&mut self, route: u32, member: u32) -> bool {
        if self.routes.route(route).primary() != Some(member) {
            let list = &mut self.members[member as usize].further;
            return self.routes.remove_further(route, member, list);
        }
        let Some(successor) = self.routes.further_of(route).next() else { return false };
        let list = &mut self.members[successor as usize].further;
        self.routes.remove_further(route, successor, list);
        self.enlist(route, successor);
        true
    }

    /// Withdraws routes of a member until none is left or the budget is spent.
    fn withdraw_some(&mut self, member: u32, mut budget: usize) -> usize {
        while budget > 0 {
            let entry = &self.members[member as usize];
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
            budget -= 1;
        }
        budget
    }

    fn retire_left(&mut self, member: u32) {
        self.left.remove(&self.members[member as usize].origin.peer);
        self.retire(member);
    }

    /// Notes that a member may have announced its last route.
    #[inline]
    pub(super) fn note_idle(&mut self, member: u32) {
        let entry = &mut self.members[member as usize];
        if entry.is_unused() && !std::mem::replace(&mut entry.is_idle, true) {
            self.idle.push_back(member);
        }
    }

    /// Lets go of members that neither announce nor subscribe any more. Not in the middle of a run
    /// of updates, which know their member by its number. Those stay that list routes still: most who
    /// withdraw everything announce it again soon.
    pub(super) fn retire_idle(&mut self) {
        for _ in 0..self.idle.len().min(IDLE_AT_ONCE) {
            let Some(member) = self.idle.pop_front() else { return };
            let entry = &mut self.members[member as usize];
            let is_unused = entry.is_unused();
            if is_unused && entry.first != NONE {
                self.idle.push_back(member);
                continue;
            }
            entry.is_idle = false;
            let peer = entry.origin.peer;
            if is_unused && self.by_peer.get(&peer) == Some(&member) {
                self.by_peer.remove(&peer);
                self.retire(member);
            }
        }
    }

    /// Makes a member's number free once the journal no longer mentions it.
    fn retire(&mut self, member: u32) {
        self.free.push_back((self.journal.head(), member));
    }

    /// Makes a member a route's primary announcer, and puts the route into its list.
    pub(super) fn enlist(&mut self, route: u32, member: u32) {
        let lister = self.routes.route(route).lister();
        if lister == Some(member) {
            return self.routes.restore(route);
        }
        self.delist(route, lister);
        self.routes.link(route, member, &mut self.members[member as usize].first);
    }

    /// Takes a route out of a member's list, if it is there.
    fn delist(&mut self, route: u32, member: Option<u32>) {
        if let Some(member) = member.filter(|_| self.routes.route(route).lister() == member) {
            self.routes.unlink(route, &mut self.members[member as usize].first);
        }
    }

    /// Forgets a tombstone that the journal no longer mentions.
    pub(super) fn free_route(&mut self, route: u32) {
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
        if self.routes.is_first(route) {
            self.cache.forget_first();
        }
        let own =
            self.journal.position(self.routes.route(route).changed).filter(|&p| p >= self.open);
        if own.is_some_and(|p| self.journal.at(p).route == route) {
            self.coalesced += 1;
            return; // the open batch has it already, with what it was before all of this
        }
        let prev = self.last_change(route);
        let position = self.journal.push(route, before, prev);
        self.routes.set_changed(route, Journal::stamp(position));
        self.appended(position, prev);
    }
}
