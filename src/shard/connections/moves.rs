//! A connection leaves for another shard, and arrives from one.

use std::sync::Arc;

use bytes::Bytes;

use super::departure::Departure;
use super::{Connections, Peer, Slot};
use crate::ids::{Moment, PeerId, ShardId};
use crate::session::TlsPeer;
use crate::shard::message::Request;
use crate::shard::output::Output;
use crate::shard::owners::Owners;
use crate::table::Batch;
use crate::wire::Vni;

/// A connection on its way from one shard to another.
#[derive(Debug)]
pub(crate) struct Traveller {
    peer: Box<Peer>,
    /// The shard that it has left; `None` if it comes from another process.
    from: Option<ShardId>,
    refused: Vec<(Vni, Arc<Batch>)>,
    unread: Vec<u8>,
}

impl Traveller {
    /// A connection that comes from elsewhere, with bytes that were received and not parsed yet.
    pub(super) fn of(peer: Box<Peer>, unread: Vec<u8>) -> Self {
        Self { peer, from: None, refused: Vec::new(), unread }
    }

    pub(super) fn connection(&self) -> &Peer {
        &self.peer
    }

    /// The facts of the TLS connection; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<&TlsPeer> {
        self.peer.session.tls()
    }

    /// The first batch of each VNI that the connection could not take; the owner is still to be told.
    pub(super) fn refused(&self) -> &[(Vni, Arc<Batch>)] {
        &self.refused
    }

    /// Bytes that were read and not handled yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// The peer of the connection.
    pub(crate) fn peer(&self) -> PeerId {
        self.peer.id
    }

    /// Whether its HELLO has come, which makes the connection a session.
    pub(crate) fn has_begun(&self) -> bool {
        self.peer.session.has_begun()
    }

    /// The node that its peer says it runs on; may be empty.
    pub(crate) fn node(&self) -> &str {
        &self.peer.session.peer().node
    }

    /// Whether its handshake is complete.
    pub(crate) fn is_established(&self) -> bool {
        self.peer.session.is_established()
    }
}

impl Connections {
    /// Prepares a peer's connection to leave. `false` when there is none.
    pub(in crate::shard) fn relocate(
        &mut self,
        id: PeerId,
        to: ShardId,
        number: u64,
        owners: &mut Owners<'_>,
    ) -> bool {
        let Some(slot) = self.slot_of(id) else { return false };
        let awaited = owners.mesh.shards().collect();
        let peer = &mut self.peers[slot];
        peer.departure = Some(Box::new(Departure::new(number, awaited)));
        // The new shard finds again which subscriptions are unserved.
        for subscription in peer.counts.rare.iter_mut().flat_map(|rare| rare.unserved.drain(..)) {
            peer.behind.push_back(subscription);
        }
        Self::disturb(&mut self.outputs, slot, peer);
        peer.is_paused = true;
        owners.relocate(peer.origin(self.shard), to, peer.memberships.vnis_from(Vni(0)), number);
        true
    }

    /// Ends a departure: the connection stays. `false` when it has left.
    pub(in crate::shard) fn stay(
        &mut self,
        now: Moment,
        id: PeerId,
        number: u64,
        owners: &mut Owners<'_>,
    ) -> bool {
        let Some(slot) = self.slot_of(id) else { return false };
        let peer = &mut self.peers[slot];
        let Some(departure) = peer.departure.take_if(|it| it.number == number) else {
            return false;
        };
        let Departure { refused, unread, .. } = *departure;
        let vnis = peer.memberships.vnis_from(Vni(0));
        owners.relocate(peer.origin(self.shard), self.shard, vnis, number);
        self.go_on(now, slot, refused, &unread, owners);
        true
    }

    /// An owner has noted for these VNIs where the peer's connection will be. `done`: the owner, if it has for all.
    pub(super) fn relocated(
        &mut self,
        slot: Slot,
        vnis: Vec<Vni>,
        number: u64,
        done: Option<ShardId>,
        owners: &mut Owners<'_>,
    ) {
        let Self { peers, subscribers, .. } = self;
        let peer = &mut peers[slot];
        for vni in vnis {
            let Some((place, id)) = peer.memberships.subscription(vni) else {
                continue;
            };
            let subscriber = &mut subscribers.of(vni)[place as usize];
            if std::mem::take(&mut subscriber.in_sync) {
                peer.behind.push_back((vni, id));
            }
            let Some(from) = peer.outbox.drop_sealed(vni) else { continue };
            match &mut peer.departure {
                Some(departure) => departure.refuse(from),
                None => owners.request(Request::FellBehind { peer: peer.id, vni, from }),
            }
        }
        if let Some(departure) = &mut peer.departure
            && departure.number == number
        {
            let Some(owner) = done else { return };
            departure.awaited.retain(|shard| *shard != owner);
            if departure.is_ready() && !self.has_frozen(slot, number, owners) {
                self.outputs.push(Output::Leaves(slot));
            }
        } else if peer.departure.is_none() {
            self.pull(slot, owners);
        }
    }

    /// Whether a connection is ready to leave.
    pub(in crate::shard) fn leaves(&self, slot: Slot) -> bool {
        let peer = self.peers.get(slot).filter(|peer| !peer.is_closed);
        let departure = peer.and_then(|peer| peer.departure.as_ref());
        departure.is_some_and(|departure| departure.is_ready())
    }

    /// Takes out a connection that [`Output::Leaves`] named. `rest` is the unwritten rest of
    /// the write in flight.
    pub(in crate::shard) fn leave(
        &mut self,
        now: Moment,
        slot: Slot,
        rest: Bytes,
    ) -> Option<Traveller> {
        let peer = self.peers.get_mut(slot).filter(|peer| !peer.is_closed)?;
        let departure = *peer.departure.take_if(|it| it.is_ready())?;
        let Departure { refused, unread, .. } = departure;
        let mut peer = self.peers.remove(slot)?;
        self.by_id.remove(&peer.id);
        for (vni, subscription) in peer.memberships.subscriptions_mut() {
            self.remove_subscriber(vni, subscription.0);
        }
        let propagation = &mut self.counting.propagation;
        peer.outbox.finished(|received| propagation.record(now.since(received)));
        if peer.sending.writing {
            // Count the bytes that the socket has taken; the rest is counted when it is written.
            let taken = peer.counts.in_flight.saturating_sub(rest.len()) as u64;
            peer.counts.bytes_sent += taken;
            self.counting.stats.bytes_sent += taken;
        }
        peer.outbox.put_back(rest);
        (peer.sending.writing, peer.counts.in_flight) = (false, 0);
        (peer.is_ready, peer.is_held) = (false, false);
        peer.quiet.give_up_hold();
        self.counting.left(&peer);
        Some(Traveller { peer, from: Some(self.shard), refused, unread })
    }

    /// Takes over a connection.
    pub(in crate::shard) fn arrive(
        &mut self,
        now: Moment,
        traveller: Traveller,
        owners: &mut Owners<'_>,
    ) -> Slot {
        let Traveller { peer, from, refused, unread } = traveller;
        self.counting.arrived(&peer);
        let id = peer.id;
        if from.is_some_and(|from| from != self.shard) {
            owners.settle(id); // before any other request, so that deliveries stay in their order
        }
        let slot = self.peers.insert(peer);
        self.go_on_reading(slot);
        self.by_id.insert(id, slot);
        let peer = &mut self.peers[slot];
        // During the move it was neither read nor sent anything: its silence means nothing, nor that it took nothing.
        peer.session.excuse(now);
        (peer.sending.progress, peer.sending.idle) = (now, now);
        for (vni, subscription) in peer.memberships.subscriptions_mut() {
            subscription.0 = self.subscribers.next_place(vni);
            self.subscribers.add(vni, slot, subscription.1);
        }
        if !peer.outbox.is_empty() {
            Self::mark_ready(&mut self.outputs, slot, peer);
        }
        self.go_on(now, slot, refused, &unread, owners);
        slot
    }

    /// Serves a connection that was about to leave, here or at its new place.
    fn go_on(
        &mut self,
        now: Moment,
        slot: Slot,
        refused: Vec<(Vni, Arc<Batch>)>,
        unread: &[u8],
        owners: &mut Owners<'_>,
    ) {
        let peer = self.peers[slot].id;
        for (vni, from) in refused {
            owners.request(Request::FellBehind { peer, vni, from });
        }
        self.peers[slot].is_paused = false;
        // The policy may have changed meanwhile, or is another here. Owners must know of the refused batches first:
        // subscriptions that are allowed now ask for chunks.
        self.reclassify(slot, owners);
        if !unread.is_empty() {
            self.received(now, slot, unread, owners);
        }
        if self.peers[slot].is_closed {
            return;
        }
        self.forget_unused(slot, owners);
        self.pull(slot, owners);
        self.pause(slot, owners); // the driver waits until it is told to read
    }
}
