//! From deliveries to sockets: where subscribers' connections live.

use std::sync::Arc;

use super::mesh::{Delivery, Request};
use super::peer::{PULLS_MAX, is_current};
use super::state::{Shard, Slot, Write};
use super::timers::TICK;
use crate::ids::{Moment, PeerId};
use crate::outbox::{OutBuf, Refusal};
use crate::session::{Allowance, CloseReason, Sight};
use crate::table::{Audience, Batch, Chunk};
use crate::wire::{Capabilities, Vni};

/// Buffers kept for writes of several pieces.
const BUFFERS: usize = 64;

impl Shard {
    /// Deliveries of another shard.
    pub(crate) fn deliveries(&mut self, now: Moment, parcel: Vec<Delivery>) {
        for delivery in parcel {
            self.deliver(now, delivery);
        }
    }

    pub(super) fn deliver(&mut self, now: Moment, delivery: Delivery) {
        match delivery {
            Delivery::Batch { audience, batch } => self.fan_out(now, audience, &batch),
            Delivery::Chunk { peer, vni, subscription, chunk } => {
                self.catch_up(now, peer, vni, subscription, &chunk);
            }
            Delivery::Announced { peer, vni, change, routes } => {
                if let Some(&slot) = self.by_id.get(&peer)
                    && let Err(reason) = self.count_routes(slot, vni, change, routes)
                {
                    self.close(slot, reason);
                }
            }
            Delivery::Forgotten { peer, vni, version } => {
                if let Some(&slot) = self.by_id.get(&peer)
                    && let Some(peer) = &mut self.peers[slot as usize]
                {
                    peer.left(vni, version);
                    self.forget_unused(slot);
                }
            }
            Delivery::TooFarBehind { peer } => {
                if let Some(&slot) = self.by_id.get(&peer) {
                    self.close(slot, CloseReason::TooFarBehind);
                }
            }
        }
    }

    /// What to write to a peer next. The caller writes it, then calls [`Shard::written`]; until then
    /// there is nothing more. `look` asks the kernel about the connection.
    pub(crate) fn next_write(
        &mut self,
        now: Moment,
        slot: Slot,
        look: &mut dyn FnMut() -> Option<Sight>,
    ) -> Write {
        let Self { peers, buffers, settings, counting, unproven, .. } = self;
        let Some(peer) = &mut peers[slot as usize] else { return Write::Nothing };
        if peer.writing || peer.is_closed || peer.outbox.is_empty() {
            return Write::Nothing;
        }
        let buffer = || buffers.pop().unwrap_or_default();
        let bytes = match &mut peer.pacer {
            None => peer.outbox.next_write(&settings.bounds.outbox, buffer),
            Some(pacer) => {
                let has_control = peer.outbox.has_control();
                let was_proven = pacer.unproven().is_none();
                let allowance = pacer.allow(now, look);
                if was_proven {
                    unproven.extend(pacer.unproven().map(|why| (slot, why)));
                }
                let cut = match allowance {
                    Allowance::Send(cut) => Some(cut),
                    Allowance::WaitUntil(_) if has_control => None,
                    Allowance::WaitUntil(then) => return Write::WaitUntil(then),
                };
                let bytes = peer.outbox.next_record(cut, buffer);
                pacer.sent(bytes.as_ref().map_or(0, OutBuf::len));
                bytes
            }
        };
        let Some(bytes) = bytes else { return Write::Nothing };
        (peer.writing, peer.began) = (true, now);
        peer.counts.in_flight = bytes.len();
        let taken = peer.outbox.take_taken();
        counting.sent(peer, taken);
        Write::Bytes { bytes, record: peer.pacer.is_some() }
    }

    /// A write is done and `bytes` is given back, with how many of them were written in all.
    pub(crate) fn written(&mut self, now: Moment, slot: Slot, bytes: OutBuf) {
        self.last_send = now;
        self.sends = self.sends.saturating_add(1);
        self.stats.writes += 1;
        let len = bytes.len() as u64;
        self.stats.bytes_sent += len;
        if let OutBuf::Gathered(mut buffer) = bytes
            && self.buffers.len() < BUFFERS
        {
            buffer.clear();
            self.buffers.push(buffer);
        }
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        peer.counts.bytes_sent += len;
        peer.path.written(now, peer.counts.bytes_sent, usize::try_from(len).unwrap_or(usize::MAX));
        let propagation = &mut self.counting.propagation;
        peer.outbox.finished(|received| propagation.record(now.since(received)));
        peer.writing = false;
        peer.progress = now;
        if now.since(peer.began) > TICK {
            peer.idle = now; // its window was shut and has opened
        }
        if peer.is_closed {
            return;
        }
        if !peer.outbox.is_empty() {
            Self::mark_ready(&mut self.ready, slot, peer);
        }
        if !peer.behind.is_empty() {
            self.pull(slot);
        }
    }

    /// Asks for more for a peer that is behind, if it has room.
    pub(super) fn pull(&mut self, slot: Slot) {
        loop {
            let Some(peer) = &mut self.peers[slot as usize] else { return };
            if peer.pulls >= PULLS_MAX
                || peer.outbox.bytes() >= self.settings.bounds.outbox.low_water
            {
                return;
            }
            let Some((vni, subscription)) = peer.behind.pop_front() else { return };
            if !is_current(&peer.vnis, vni, subscription) {
                continue; // ended meanwhile
            }
            peer.pulls += 1;
            let peer = peer.id;
            self.request(vni, Request::Pull { peer, vni, subscription });
        }
    }

    /// Gives a sealed batch to every local subscriber that is in sync.
    fn fan_out(&mut self, now: Moment, audience: Audience, batch: &Arc<Batch>) {
        let Self { subscribers, peers, ready, stats, settings, .. } = self;
        let Some(list) = subscribers.get_mut(&batch.vni) else { return };
        let mut refused = Vec::new();
        for subscriber in list.iter_mut().filter(|subscriber| subscriber.in_sync) {
            let Some(peer) = &mut peers[subscriber.slot as usize] else { continue };
            if peer.audience() != audience {
                continue;
            }
            if peer.outbox.is_empty() && !peer.writing {
                peer.progress = now;
            }
            match peer.outbox.offer(&settings.bounds.outbox, peer.id, batch) {
                Ok(false) => {}
                Ok(true) => {
                    stats.batches_queued += 1;
                    Self::mark_ready(ready, subscriber.slot, peer);
                }
                Err(Refusal { from }) => {
                    subscriber.in_sync = false;
                    peer.behind.push_back((batch.vni, subscriber.id));
                    refused.push((subscriber.slot, peer.id, from));
                }
            }
        }
        for (slot, peer, from) in refused {
            self.stats.fell_behind += 1;
            let vni = batch.vni;
            self.request(vni, Request::FellBehind { peer, vni, from });
            self.pull(slot);
        }
    }

    fn catch_up(&mut self, now: Moment, peer: PeerId, vni: Vni, subscription: u32, chunk: &Chunk) {
        let Some(&slot) = self.by_id.get(&peer) else { return };
        let Some(peer) = &mut self.peers[slot as usize] else { return };
        peer.pulls -= 1;
        let place = peer
            .vnis
            .get(vni)
            .and_then(|entry| entry.subscription)
            .filter(|(_, id)| *id == subscription);
        if let Some((place, _)) = place {
            if peer.outbox.is_empty() && !peer.writing {
                peer.progress = now;
            }
            let end_of_table = chunk.end_of_table && peer.has(Capabilities::END_OF_TABLE);
            peer.outbox.catch_up(peer.id, vni, chunk.batch.as_deref(), end_of_table);
            if !peer.outbox.is_empty() {
                Self::mark_ready(&mut self.ready, slot, peer);
            }
            if !chunk.in_sync {
                peer.behind.push_back((vni, subscription));
            } else if let Some(list) = self.subscribers.get_mut(&vni) {
                list[place as usize].in_sync = true;
            }
        }
        self.pull(slot);
    }
}
