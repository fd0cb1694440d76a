//! The end of a session.

use super::rare::RareQueue;
use super::{Connections, Slot};
use crate::ids::PeerId;
use crate::outbox::Outbox;
use crate::session::CloseReason;
use crate::shard::message::Request;
use crate::shard::moves::{Answer, LateHold};
use crate::shard::output::{Closed, Output};
use crate::shard::owners::Owners;

impl Connections {
    /// Ends a session: its routes are withdrawn and its subscriptions dropped everywhere. Harmless
    /// when it has ended already.
    pub(in crate::shard) fn close(
        &mut self,
        slot: Slot,
        reason: CloseReason,
        owners: &mut Owners<'_>,
    ) {
        let Some(peer) = self.peers.get_mut(slot).filter(|peer| !peer.is_closed) else { return };
        peer.is_closed = true;
        peer.quiet.disturb();
        peer.is_held = false;
        let departure = peer.departure.take();
        let parts = departure.as_ref().is_some_and(|it| it.parts);
        let given_up = peer.outbox.give_up();
        self.counting.sent(peer, given_up);
        self.counting.closed(peer, &reason);
        let hold = Self::hold_of(&self.settings, peer, &reason);
        let id = peer.id;
        let counts = Box::new(peer.last_counts());
        let vnis = peer.memberships.take();
        peer.outbox = Outbox::default();
        peer.input.clear();
        peer.behind = RareQueue::default();
        peer.counts.rare = None;
        let closed = Closed {
            slot,
            peer: id,
            reason,
            node: peer.session.peer().node.clone(),
            had_begun: peer.session.has_begun(),
            was_established: peer.session.is_established(),
            counts,
        };
        self.by_id.remove(&id);
        owners.forget(id, hold.is_some());
        if departure.is_some() {
            owners.settle(id);
        }
        let mut holds = Vec::new();
        for (vni, place) in vnis {
            if let Some(place) = place {
                self.remove_subscriber(vni, place);
            }
            let request = match hold {
                Some((kin, time)) => Request::Hold { peer: id, vni, kin, time },
                None => Request::Leave { peer: id, vni },
            };
            holds.extend(LateHold::of(&request).filter(|_| parts));
            owners.request(request);
        }
        self.outputs.push(Output::Closed(closed));
        if let Some(departure) = departure
            && !self.ended_frozen(&departure)
        {
            self.answer(Answer::Gone { number: departure.number(), holds });
        }
    }

    /// Ends a connection to make room for others, unless its HELLO has come.
    pub(in crate::shard) fn make_room(&mut self, id: PeerId, owners: &mut Owners<'_>) {
        if let Some((slot, peer)) = self.peer(id)
            && !peer.session.has_begun()
        {
            self.close(slot, CloseReason::NoRoom, owners);
        }
    }
}
