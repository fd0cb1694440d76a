//! From deliveries to outboxes.

use std::sync::Arc;

use super::peer::PULLS_MAX;
use super::{Connections, Slot};
use crate::ids::Moment;
use crate::outbox::OfferRefusal;
use crate::session::CloseReason;
use crate::shard::message::{Delivery, Request};
use crate::shard::owners::Owners;
use crate::table::{Audience, Batch, Chunk};
use crate::wire::{Capabilities, Vni};

impl Connections {
    /// Handles a delivery from an owner of VNIs.
    pub(in crate::shard) fn deliver(
        &mut self,
        now: Moment,
        delivery: Delivery,
        owners: &mut Owners<'_>,
    ) {
        match delivery {
            Delivery::Batch { audience, batch } => self.fan_out(now, audience, &batch, owners),
            Delivery::Chunk { peer, vni, subscription, chunk } => {
                if let Some(slot) = self.slot_of(peer) {
                    self.catch_up(now, slot, (vni, subscription), &chunk, owners);
                }
            }
            Delivery::Announced { peer, counted } => {
                let Some(slot) = self.slot_of(peer) else { return };
                match self.count_routes(slot, counted) {
                    Ok(()) => self.forget_unused(slot, owners),
                    Err(reason) => self.close(slot, reason, owners),
                }
            }
            Delivery::Refused { peer, vni, refusal, example } => {
                let Some(slot) = self.slot_of(peer) else { return };
                let told = self.report_refusal(slot, refusal, Some(vni), Some(example));
                if let Err(reason) = told {
                    self.close(slot, reason, owners);
                }
            }
            Delivery::Unserved { peer, vni, subscription } => {
                if let Some(slot) = self.slot_of(peer) {
                    self.unserved(slot, (vni, subscription), owners);
                }
            }
            Delivery::Forgotten { peer, vni, version } => {
                if let Some(slot) = self.slot_of(peer) {
                    self.peers[slot].memberships.left(vni, version);
                    self.forget_unused(slot, owners);
                }
            }
            Delivery::Relocated { peer, owner, vnis, number, is_last } => {
                if let Some(slot) = self.slot_of(peer) {
                    self.relocated(slot, vnis, number, is_last.then_some(owner), owners);
                }
            }
            Delivery::Marked { .. } | Delivery::Wanted { .. } => {} // for a guest
            Delivery::Fence { owner, epoch } => {
                owners.request_to(owner, Request::Confirm { epoch });
            }
            Delivery::TooFarBehind { peer, .. } => {
                if let Some(slot) = self.slot_of(peer) {
                    self.close(slot, CloseReason::TooFarBehind, owners);
                }
            }
        }
    }

    /// Asks for more for a peer that is behind, if it has room.
    pub(super) fn pull(&mut self, slot: Slot, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        if peer.departure.is_some() {
            return; // its new shard asks for chunks
        }
        while peer.pulls < PULLS_MAX
            && peer.outbox.bytes() < self.settings.bounds.outbox.low_water
            && let Some((vni, subscription)) = peer.behind.pop_front()
        {
            if peer.memberships.is_current(vni, subscription) {
                peer.pulls += 1;
                let (peer, shard) = (peer.id, self.shard);
                owners.request(Request::Pull { peer, shard, vni, subscription });
            } // else the subscription has ended meanwhile
        }
    }

    /// Gives a sealed batch to every subscriber here that is in sync.
    fn fan_out(
        &mut self,
        now: Moment,
        audience: Audience,
        batch: &Arc<Batch>,
        owners: &mut Owners<'_>,
    ) {
        let Self { subscribers, peers, outputs, counting, settings, .. } = self;
        let mut refused = Vec::new();
        for subscriber in subscribers.of(batch.vni).iter_mut().filter(|it| it.in_sync) {
            let peer = &mut peers[subscriber.slot];
            if peer.audience() != audience {
                continue;
            }
            if peer.outbox.is_empty() && !peer.sending.writing {
                peer.sending.progress = now;
            }
            match peer.outbox.offer(&settings.bounds.outbox, peer.id, batch) {
                Ok(false) => {}
                Ok(true) => {
                    counting.stats.batches_queued += 1;
                    Self::mark_ready(outputs, subscriber.slot, peer);
                }
                Err(OfferRefusal { from }) => {
                    subscriber.in_sync = false;
                    peer.behind.push_back((batch.vni, subscriber.id));
                    match &mut peer.departure {
                        None => refused.push((subscriber.slot, peer.id, from)),
                        Some(departure) => departure.refuse(from),
                    }
                }
            }
        }
        for (slot, peer, from) in refused {
            self.counting.stats.fell_behind += 1;
            owners.request(Request::FellBehind { peer, vni: batch.vni, from });
            self.pull(slot, owners);
        }
    }

    /// Takes the answer to one pull of a subscription.
    fn catch_up(
        &mut self,
        now: Moment,
        slot: Slot,
        (vni, subscription): (Vni, u32),
        chunk: &Chunk,
        owners: &mut Owners<'_>,
    ) {
        let Self { subscribers, peers, outputs, settings, .. } = self;
        let peer = &mut peers[slot];
        peer.pulls -= 1;
        let current = peer.memberships.subscription(vni);
        if let Some((place, _)) = current.filter(|(_, id)| *id == subscription) {
            if peer.outbox.is_empty() && !peer.sending.writing {
                peer.sending.progress = now;
            }
            let end_of_table =
                chunk.end_of_table && settings.end_of_table && peer.has(Capabilities::END_OF_TABLE);
            peer.outbox.catch_up(peer.id, vni, chunk.batch.as_deref(), end_of_table);
            if !peer.outbox.is_empty() {
                Self::mark_ready(outputs, slot, peer);
            }
            if chunk.in_sync {
                subscribers.of(vni)[place as usize].in_sync = true;
            } else {
                peer.behind.push_back((vni, subscription));
            }
        }
        self.pull(slot, owners);
    }
}
