//! Subscriptions begin and end.

use super::{Connections, Slot};
use crate::session::CloseReason;
use crate::shard::message::Request;
use crate::shard::owners::Owners;
use crate::wire::Vni;

impl Connections {
    pub(super) fn subscribe(
        &mut self,
        slot: Slot,
        vni: Vni,
        owners: &mut Owners<'_>,
    ) -> Result<(), CloseReason> {
        let class = self.peers[slot].standing.rights.class;
        let max = self.settings.subscriptions_of(class);
        if !self.judge_subscription(slot, vni)? {
            return self.peers[slot].memberships.refuse(vni, max);
        }
        self.claim(slot, vni, owners);
        let peer = &mut self.peers[slot];
        let place = self.subscribers.next_place(vni);
        let Some(id) = peer.memberships.subscribe(vni, place, max)? else { return Ok(()) };
        self.subscribers.add(vni, slot, id);
        self.counting.now.subscriptions += 1;
        peer.behind.push_back((vni, id));
        let origin = peer.origin(self.shard);
        let received = self.reading.at;
        owners.request(Request::Subscribe { origin, vni, received, is_retry: false });
        self.pull(slot, owners);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, slot: Slot, vni: Vni, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        if peer.memberships.end_refused(vni) {
            // The peer does not know that the policy refused its subscription, so its routes go as with any other.
            let peer = peer.id;
            return owners.request(Request::Leave { peer, vni });
        }
        let Some(place) = peer.memberships.unsubscribe(vni) else { return };
        peer.forget_report(vni);
        self.counting.now.subscriptions -= 1;
        // An ended subscription in `behind` or `unserved` is skipped at its turn; a list that gets too long is cleaned.
        let memberships = &peer.memberships;
        let is_too_long = |len: usize| len as u64 > 2 * memberships.subscriptions() + 64;
        if is_too_long(peer.behind.len()) {
            peer.behind.retain(|(vni, id)| memberships.is_current(*vni, *id));
        }
        if let Some(rare) = &mut peer.counts.rare
            && is_too_long(rare.unserved.len())
        {
            rare.unserved.retain(|(vni, id)| memberships.is_current(*vni, *id));
        }
        peer.outbox.forget(vni);
        let given_up = peer.outbox.take_taken();
        self.counting.sent(peer, given_up);
        let peer = peer.id;
        self.remove_subscriber(vni, place);
        owners.request(Request::Leave { peer, vni });
        self.pull(slot, owners); // the forgotten bytes may have kept other subscriptions waiting
    }

    pub(super) fn remove_subscriber(&mut self, vni: Vni, place: u32) {
        if let Some(slot) = self.subscribers.remove(vni, place) {
            self.peers[slot].memberships.set_place(vni, place);
        }
    }
}
