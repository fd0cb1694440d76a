//! What the owner of a VNI does: applies updates, serves subscribers, seals batches.

use std::collections::VecDeque;
use std::time::Duration;

use super::mesh::{Delivery, Request};
use super::state::{Owned, Shard};
use crate::ids::{Moment, ShardId};
use crate::table::{Announcement, Audience, Size, Vnet};
use crate::wire::Vni;

/// The pause for each send. One costs 2.2 us in the kernel up to 4 KB and 4.3 us at 38 KB, and a little before
/// it, so about a third of the time goes into sends.
const SEND_PAUSE: Duration = Duration::from_micros(8);

/// Changes of a VNI for which a send to each subscriber is worth its cost: 1 KB of frames or so.
const ENOUGH: usize = 32;
/// Routes of departed members that one VNI withdraws before it is the next one's turn.
const SHARE: usize = 2048;
/// For how long it waits for subscribers before each share.
const PATIENCE: Duration = Duration::from_millis(20);
/// How soon it looks again whether they have taken what they had: another shard's do not tell.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

impl Shard {
    /// Whether a request can be served now. Not when its peer has left the VNI and is back before its
    /// old routes are gone: those are withdrawn first, some in each turn.
    pub(super) fn may_serve(&mut self, now: Moment, request: &Request, budget: usize) -> bool {
        let (Request::Updates { origin, vni, .. } | Request::Subscribe { origin, vni, .. }) =
            request
        else {
            return true;
        };
        let Some(&owned) = self.owned_index.get(vni) else { return true };
        let Some(entry) = &mut self.owned[owned as usize] else { return true };
        if !entry.vnet.has_left(origin.peer) {
            return true;
        }
        entry.vnet.clock = now;
        let is_gone = entry.vnet.finish_leaving(origin.peer, budget);
        self.mark_dirty(owned);
        is_gone
    }

    /// Serves one request.
    pub(super) fn serve(&mut self, now: Moment, request: Request) {
        match request {
            Request::Updates { origin, vni, updates, received } => {
                let owned = self.owned_for(vni);
                let Some(entry) = &mut self.owned[owned as usize] else { return };
                entry.vnet.clock = received;
                let member = entry.vnet.member(origin);
                let (change, routes) = self.apply(owned, member, &updates);
                if change != 0 {
                    let delivery = Delivery::Announced { peer: origin.peer, vni, change, routes };
                    self.send(now, origin.shard, delivery);
                }
            }
            Request::Subscribe { origin, vni, received } => {
                let owned = self.owned_for(vni);
                let Some(entry) = &mut self.owned[owned as usize] else { return };
                entry.vnet.clock = received;
                let member = entry.vnet.member(origin);
                entry.vnet.subscribe(member);
            }
            Request::Leave { peer, vni } => {
                let Some(owned) = self.owned_index.get(&vni).copied() else { return };
                let Some(entry) = &mut self.owned[owned as usize] else { return };
                if let Some(left) = entry.vnet.leave(peer) {
                    if left.routes > 0 {
                        let change = -i64::from(left.routes);
                        let delivery = Delivery::Announced { peer, vni, change, routes: 0 };
                        self.send(now, left.shard, delivery);
                    }
                    if left.routes > 0 {
                        self.departed.push_back(owned);
                    }
                    self.mark_lingering(owned);
                }
            }
            Request::Forget { origin, vni, version } => {
                if let Some(&owned) = self.owned_index.get(&vni)
                    && let Some(entry) = &mut self.owned[owned as usize]
                {
                    if entry.vnet.takes_part(origin.peer) {
                        return; // what it announced meanwhile is on its way to be counted
                    }
                    entry.vnet.leave(origin.peer);
                    self.mark_lingering(owned);
                }
                let delivery = Delivery::Forgotten { peer: origin.peer, vni, version };
                self.send(now, origin.shard, delivery);
            }
            Request::FellBehind { peer, vni, from } => {
                let Some(owned) = self.owned_index.get(&vni).copied() else { return };
                let Some(entry) = &mut self.owned[owned as usize] else { return };
                if let Some(shard) = entry.vnet.fell_behind(peer, from.start) {
                    self.send(now, shard, Delivery::TooFarBehind { peer });
                }
            }
            Request::Pull { peer, vni, subscription } => {
                let Some(owned) = self.owned_index.get(&vni).copied() else { return };
                let Some(entry) = &mut self.owned[owned as usize] else { return };
                let limit = self.settings.bounds.outbox.low_water;
                let Some((shard, chunk)) = entry.vnet.chunk(peer, limit, now) else { return };
                self.stats.chunks += 1;
                if chunk.end_of_table
                    && let Some(since) = entry.vnet.subscribed(peer)
                {
                    self.counting.dumps.record(now.since(since));
                }
                // Building a chunk seals the open batch, which goes first.
                self.send_sealed(now, owned);
                self.send(now, shard, Delivery::Chunk { peer, vni, subscription, chunk });
                self.mark_lingering(owned);
            }
        }
    }

    /// The table of a VNI that this shard owns.
    pub(super) fn owned_for(&mut self, vni: Vni) -> u32 {
        if let Some(&owned) = self.owned_index.get(&vni) {
            return owned;
        }
        debug_assert!(self.owner(vni) == self.id, "a VNI has one owner");
        let vnet = Vnet::new(vni, self.settings.bounds.table, self.hasher.clone());
        let entry = Some(Box::new(Owned {
            vnet,
            waits: None,
            is_dirty: false,
            lingers: false,
            counted: Size::default(),
        }));
        let owned = if let Some(owned) = self.owned_free.pop() {
            self.owned[owned as usize] = entry;
            owned
        } else {
            self.owned.push(entry);
            u32::try_from(self.owned.len() - 1).unwrap_or(u32::MAX)
        };
        self.owned_index.insert(vni, owned);
        // Listed from the start, so that one which stays empty is found and dropped.
        self.mark_lingering(owned);
        owned
    }

    /// Applies updates of one VNI; returns by how many the member's routes changed, and how many they are.
    pub(super) fn apply(
        &mut self,
        owned: u32,
        member: u32,
        updates: &[Announcement],
    ) -> (i64, u32) {
        let Some(entry) = &mut self.owned[owned as usize] else { return (0, 0) };
        let applied = entry.vnet.update_all(member, updates);
        let routes = entry.vnet.announced_by(member);
        self.gathered += updates.len();
        self.stats.updates_ignored += applied.ignored;
        self.mark_dirty(owned);
        (applied.change, routes)
    }

    /// When to seal what has changed, if anything has.
    ///
    /// At once, when there is enough for the cost of sends not to matter. Else not before a pause
    /// after the sends before, about twice as long as they took, so that a reflector with little to do
    /// sends at once and one with much to do spends a third of its time on sends; nor later than the
    /// batch delay, whatever is written meanwhile.
    pub(super) fn seal_at(&mut self, now: Moment) -> Option<Moment> {
        if self.dirty.is_empty() {
            return None;
        }
        let since = *self.dirty_since.get_or_insert(now);
        if self.gathered >= ENOUGH * self.dirty.len() {
            return Some(now);
        }
        let pause = SEND_PAUSE * self.sends.saturating_add(self.remote_sends);
        Some((self.last_send + pause).min(since + self.settings.batch_delay))
    }

    /// Seals every VNI with changes and sends the batches on.
    pub(super) fn seal_dirty(&mut self, now: Moment) {
        self.last_send = now;
        self.dirty_since = None;
        self.gathered = 0;
        (self.sends, self.remote_sends) = (0, 0);
        for owned in std::mem::take(&mut self.dirty) {
            let Some(entry) = &mut self.owned[owned as usize] else { continue };
            entry.is_dirty = false;
            entry.vnet.seal();
            let given_up = entry.vnet.trim(false);
            self.counting.recount(entry);
            self.send_sealed(now, owned);
            if let Some((shard, peer)) = given_up {
                self.send(now, shard, Delivery::TooFarBehind { peer });
            }
            self.mark_lingering(owned);
        }
    }

    /// Withdraws up to `budget` routes of departed members. VNIs take turns, so that one with a
    /// million routes to withdraw does not hold up the others, and one whose subscribers have much to
    /// take already waits for them, but not for long.
    pub(super) fn withdraw_departed(&mut self, now: Moment, mut budget: usize) {
        self.departed_until = now;
        let mut waiting = VecDeque::new();
        while budget > 0
            && let Some(owned) = self.departed.pop_front()
        {
            let Some(entry) = &mut self.owned[owned as usize] else { continue };
            if entry.vnet.is_ahead() && now < *entry.waits.get_or_insert(now) + PATIENCE {
                waiting.push_back(owned);
                continue;
            }
            entry.waits = None;
            let share = budget.min(SHARE);
            entry.vnet.clock = now;
            let done = share - entry.vnet.work(share);
            self.gathered += done;
            budget -= done;
            if entry.vnet.has_work() {
                self.departed.push_back(owned);
            }
            self.mark_dirty(owned);
        }
        if self.departed.is_empty() {
            self.departed_until = now + LOOK_AGAIN;
        }
        self.departed.append(&mut waiting);
    }

    /// Forgets what VNIs no longer need, and VNIs that nobody needs.
    pub(super) fn trim_lingering(&mut self, now: Moment) {
        for owned in std::mem::take(&mut self.lingering) {
            let Some(entry) = &mut self.owned[owned as usize] else { continue };
            entry.lingers = false;
            entry.vnet.expire(now);
            let given_up = entry.vnet.trim(true);
            self.counting.recount(entry);
            let lingers = entry.vnet.lingers();
            let is_empty = entry.vnet.is_empty() && !lingers && !entry.is_dirty;
            let vni = entry.vnet.vni;
            if let Some((shard, peer)) = given_up {
                self.send(now, shard, Delivery::TooFarBehind { peer });
            }
            if is_empty {
                self.owned[owned as usize] = None;
                self.owned_index.remove(&vni);
                self.owned_free.push(owned);
            } else if lingers {
                self.mark_lingering(owned);
            }
        }
    }

    /// Sends what a VNI has sealed to every shard with subscribers in sync.
    fn send_sealed(&mut self, now: Moment, owned: u32) {
        let Some(entry) = &mut self.owned[owned as usize] else { return };
        for (audience, batch) in entry.vnet.take_sealed() {
            self.stats.batches += 1;
            if audience == Audience::Clients {
                self.taps.sealed(&batch);
            }
            for shard in 0..self.shards {
                let shard = ShardId(u16::try_from(shard).unwrap_or(u16::MAX));
                let Some(entry) = &self.owned[owned as usize] else { return };
                let subscribers = entry.vnet.in_sync_on(shard, audience);
                if shard != self.id {
                    self.remote_sends = self.remote_sends.max(subscribers);
                }
                if subscribers > 0 {
                    let batch = batch.clone();
                    self.send(now, shard, Delivery::Batch { audience, batch });
                }
            }
        }
    }

    fn send(&mut self, now: Moment, to: ShardId, delivery: Delivery) {
        if to == self.id {
            self.deliver(now, delivery);
        } else {
            self.lanes[to.index()].deliveries.push(delivery);
        }
    }

    /// Lists a VNI as having changes to seal.
    fn mark_dirty(&mut self, owned: u32) {
        if let Some(entry) = &mut self.owned[owned as usize]
            && !entry.is_dirty
        {
            entry.is_dirty = true;
            entry.vnet.is_tapped = self.taps.covers(entry.vnet.vni);
            self.dirty.push(owned);
        }
    }

    fn mark_lingering(&mut self, owned: u32) {
        if let Some(entry) = &mut self.owned[owned as usize]
            && !entry.lingers
        {
            entry.lingers = true;
            self.lingering.push(owned);
        }
    }
}
