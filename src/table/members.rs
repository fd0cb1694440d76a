//! [`Members`]: who takes part in one VNI, under numbers that routes and the journal keep.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use ahash::{AHashMap, RandomState};

use super::batch::Audience;
use super::cursor::Cursor;
use super::member::{Member, Origin, Subscription};
use super::slab::NONE;
use crate::ids::{PeerId, ShardId};

/// The number of possibly unused members that are looked at together.
const IDLE_AT_ONCE: usize = 1024;

/// Members by number, and the lists that they are in.
///
/// A member that has left keeps its number while routes of it are here, and while the journal mentions it.
/// The caller says where the journal begins and ends.
#[derive(Debug)]
pub(super) struct Members {
    places: Vec<Member>,
    /// Freed places, each with the end of the journal part that mentions its number.
    free: VecDeque<(u64, u32)>,
    by_peer: AHashMap<PeerId, u32>,
    /// Members whose routes are still being withdrawn, as a list and by peer.
    leaving: Vec<u32>,
    left: AHashMap<PeerId, u32>,
    /// Members that neither announced nor subscribed when they were listed.
    idle: VecDeque<u32>,
    /// Members that are behind.
    behind: Vec<u32>,
    /// The number of in-sync subscribers per shard and audience.
    in_sync: Vec<[u32; Audience::ALL.len()]>,
    /// The number of subscribers that are clients.
    clients: u32,
    /// The number of these clients that receive one next hop of each destination.
    choosers: u32,
    /// The number of members that are clients, without those that have left.
    present: u32,
}

impl Members {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            places: Vec::new(),
            free: VecDeque::new(),
            by_peer: AHashMap::with_hasher(hasher.clone()),
            leaving: Vec::new(),
            left: AHashMap::with_hasher(hasher),
            idle: VecDeque::new(),
            behind: Vec::new(),
            in_sync: Vec::new(),
            clients: 0,
            choosers: 0,
            present: 0,
        }
    }

    /// Whether no peer takes part, and no routes are being withdrawn.
    pub(super) fn is_empty(&self) -> bool {
        self.by_peer.is_empty() && self.leaving.is_empty()
    }

    /// The number of peers that take part.
    pub(super) fn count(&self) -> usize {
        self.by_peer.len()
    }

    /// One past the highest number.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(NONE)
    }

    /// The hasher of maps of peers and members.
    pub(super) fn hasher(&self) -> RandomState {
        self.by_peer.hasher().clone()
    }

    /// The numbers of the members that take part, in no order.
    pub(super) fn present(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_peer.values().copied()
    }

    /// The members that have left and whose routes may still be here.
    pub(super) fn leaving(&self) -> &[u32] {
        &self.leaving
    }

    /// Subscribers that are behind.
    pub(super) fn behind(&self) -> &[u32] {
        &self.behind
    }

    /// Whether a client subscribes.
    pub(super) fn is_wanted(&self) -> bool {
        self.clients > 0
    }

    /// Whether a client that receives one next hop of each destination subscribes.
    #[inline]
    pub(super) fn has_choosers(&self) -> bool {
        self.choosers > 0
    }

    /// Whether a client subscribes or announces.
    pub(super) fn has_clients(&self) -> bool {
        self.present > 0
    }

    /// Whether some members may be unused.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.is_empty() && !self.by_peer.is_empty()
    }

    /// In-sync subscribers on a shard.
    pub(super) fn in_sync_on(&self, shard: ShardId, audience: Audience) -> u32 {
        self.in_sync.get(shard.index()).map_or(0, |counts| counts[audience.index()])
    }

    /// In-sync subscribers of one kind.
    pub(super) fn in_sync(&self, audience: Audience) -> usize {
        self.in_sync.iter().map(|counts| counts[audience.index()] as usize).sum()
    }

    /// The number of a peer that takes part.
    pub(super) fn find(&self, peer: PeerId) -> Option<u32> {
        self.by_peer.get(&peer).copied()
    }

    /// The number of a peer that has left and whose routes may still be here.
    pub(super) fn find_left(&self, peer: PeerId) -> Option<u32> {
        self.left.get(&peer).copied()
    }

    /// Gives a number to a peer that takes no part and has left nothing here. `base` is where the journal
    /// begins.
    pub(super) fn add(&mut self, origin: Origin, base: u64) -> u32 {
        let is_free = |&&(until, member): &&(u64, u32)| until.max(self[member].mentioned) <= base;
        let free = self.free.front().filter(is_free).copied();
        let member = if let Some((_, member)) = free {
            self.free.pop_front();
            self[member] = Member::new(origin);
            member
        } else {
            self.append(origin)
        };
        self.by_peer.insert(origin.peer, member);
        self.present += u32::from(!origin.is_server);
        member
    }

    /// Gives a peer the next number. The peer takes part under it after [`Members::appear`].
    pub(super) fn append(&mut self, origin: Origin) -> u32 {
        self.places.push(Member::new(origin));
        self.end() - 1
    }

    /// A member that was appended takes part. `false` when its peer has another number.
    pub(super) fn appear(&mut self, member: u32) -> bool {
        let Origin { peer, is_server, .. } = self[member].origin;
        let is_new = self.by_peer.insert(peer, member).is_none();
        self.present += u32::from(is_new && !is_server);
        is_new
    }

    /// Ends a peer's part: its subscription, and its name here. Its routes stay. `head` is where the
    /// journal ends.
    pub(super) fn leave(&mut self, peer: PeerId, head: u64) -> Option<u32> {
        let member = self.by_peer.remove(&peer)?;
        self.present -= u32::from(!self[member].origin.is_server);
        self.unsubscribe(member);
        self.has_left(member, head);
        Some(member)
    }

    /// Ends a member's subscription, if it has one.
    pub(super) fn unsubscribe(&mut self, member: u32) {
        match std::mem::replace(&mut self[member].subscription, Subscription::None) {
            Subscription::None => return,
            Subscription::InSync => self.count_in_sync(member, |count| count - 1),
            Subscription::Behind(_) => self.unlist_behind(member),
        }
        let audience = self[member].origin.audience();
        self.clients -= u32::from(audience != Audience::Servers);
        self.choosers -= u32::from(audience == Audience::Choosers);
    }

    /// Gives a member that does not subscribe to another peer of the same kind, which takes no part yet.
    pub(super) fn rename(&mut self, member: u32, origin: Origin) {
        let before = std::mem::replace(&mut self[member].origin, origin);
        self.by_peer.remove(&before.peer);
        self.by_peer.insert(origin.peer, member);
    }

    /// Notes that a member has left; some of its routes may still be here.
    pub(super) fn has_left(&mut self, member: u32, head: u64) {
        if self[member].routes == 0 {
            self.retire(member, head);
        } else {
            self.leaving.push(member);
            let peer = self[member].origin.peer;
            self.left.insert(peer, member);
        }
    }

    /// Notes that the last route of a departed member is gone. Cost: a look at all leaving members, unless it is
    /// the last in the list.
    pub(super) fn is_gone(&mut self, member: u32, head: u64) {
        if self.leaving.last() == Some(&member) {
            self.leaving.pop();
        } else {
            self.leaving.retain(|it| *it != member);
        }
        let peer = self[member].origin.peer;
        self.left.remove(&peer);
        self.retire(member, head);
    }

    /// Lets a member go on by asking, from a cursor on; it may have been in sync, or no subscriber.
    pub(super) fn set_behind(&mut self, member: u32, cursor: Cursor) {
        match self[member].subscription {
            Subscription::InSync => self.count_in_sync(member, |count| count - 1),
            Subscription::None => self.begins(member),
            Subscription::Behind(_) => {}
        }
        let at = self.behind.len();
        let entry = &mut self[member];
        entry.subscription = Subscription::Behind(Box::new(cursor));
        entry.behind_at = at;
        self.behind.push(member);
    }

    /// Notes that a member is in sync that was behind, or no subscriber.
    pub(super) fn set_in_sync(&mut self, member: u32) {
        match self[member].subscription {
            Subscription::Behind(_) => self.unlist_behind(member),
            Subscription::None => self.begins(member),
            Subscription::InSync => {}
        }
        self[member].subscription = Subscription::InSync;
        self.count_in_sync(member, |count| count + 1);
    }

    /// Notes that a member may have withdrawn its last route.
    #[inline]
    pub(super) fn note_idle(&mut self, member: u32) {
        let entry = &mut self[member];
        if entry.is_unused() && !std::mem::replace(&mut entry.is_idle, true) {
            self.idle.push_back(member);
        }
    }

    /// Ends the part of members that neither announce nor subscribe any more. Do not call it in the middle of a run of
    /// updates, which know their member by its number. A member stays while routes are in its list: most members that
    /// withdraw everything announce it again soon.
    pub(super) fn retire_idle(&mut self, head: u64) {
        for _ in 0..self.idle.len().min(IDLE_AT_ONCE) {
            let Some(member) = self.idle.pop_front() else { return };
            let entry = &mut self[member];
            let is_unused = entry.is_unused();
            if is_unused && entry.first != NONE {
                self.idle.push_back(member);
                continue;
            }
            entry.is_idle = false;
            let Origin { peer, is_server, .. } = entry.origin;
            if is_unused && self.find(peer) == Some(member) {
                self.by_peer.remove(&peer);
                self.present -= u32::from(!is_server);
                self.retire(member, head);
            }
        }
    }

    /// Makes a number free once the journal no longer mentions it.
    fn retire(&mut self, member: u32, head: u64) {
        self.free.push_back((head, member));
    }

    /// Counts a member that begins to subscribe.
    fn begins(&mut self, member: u32) {
        let audience = self[member].origin.audience();
        self.clients += u32::from(audience != Audience::Servers);
        self.choosers += u32::from(audience == Audience::Choosers);
    }

    fn unlist_behind(&mut self, member: u32) {
        let at = self[member].behind_at;
        self.behind.swap_remove(at);
        if let Some(&moved) = self.behind.get(at) {
            self[moved].behind_at = at;
        }
    }

    fn count_in_sync(&mut self, member: u32, change: impl FnOnce(u32) -> u32) {
        let Origin { shard, .. } = self[member].origin;
        let audience = self[member].origin.audience();
        if self.in_sync.len() <= shard.index() {
            self.in_sync.resize(shard.index() + 1, [0; Audience::ALL.len()]);
        }
        let count = &mut self.in_sync[shard.index()][audience.index()];
        *count = change(*count);
    }
}

impl Index<u32> for Members {
    type Output = Member;

    #[inline]
    fn index(&self, member: u32) -> &Member {
        &self.places[member as usize]
    }
}

impl IndexMut<u32> for Members {
    #[inline]
    fn index_mut(&mut self, member: u32) -> &mut Member {
        &mut self.places[member as usize]
    }
}
