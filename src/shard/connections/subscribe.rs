//! Subscriptions begin and end.

use super::peer::is_current;
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
        let max = self.settings.limits.subscriptions_per_peer;
        let peer = &mut self.peers[slot];
        let id = peer.next_subscription;
        if !peer.subscribe(vni, (self.subscribers.next_place(vni), id), max)? {
            return Ok(());
        }
        self.subscribers.add(vni, slot, id);
        self.counting.now.subscriptions += 1;
        peer.next_subscription += 1;
        peer.behind.push_back((vni, id));
        let origin = peer.origin(self.shard);
        let received = self.reading.at;
        owners.request(Request::Subscribe { origin, vni, received });
        self.pull(slot, owners);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, slot: Slot, vni: Vni, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        let Some(place) = peer.unsubscribe(vni) else { return };
        self.counting.now.subscriptions -= 1;
        // What is listed as behind is passed over when its turn comes, or when too much of it piles up.
        if peer.behind.len() as u64 > 2 * peer.subscriptions + 64 {
            let vnis = &peer.vnis;
            peer.behind.retain(|(vni, id)| is_current(vnis, *vni, *id));
        }
        peer.outbox.forget(vni);
        let given_up = peer.outbox.take_taken();
        self.counting.sent(peer, given_up);
        let peer = peer.id;
        self.remove_subscriber(vni, place);
        owners.request(Request::Leave { peer, vni });
        self.pull(slot, owners); // what was forgotten may have been all that kept others waiting
    }

    pub(super) fn remove_subscriber(&mut self, vni: Vni, place: u32) {
        if let Some(slot) = self.subscribers.remove(vni, place)
            && let Some(entry) = self.peers[slot].vnis.get_mut(vni)
            && let Some((at, _)) = &mut entry.subscription
        {
            *at = place;
        }
    }
}
