//! What the simulation looks at.

use super::inspect::Occupancy;
use super::{Shard, Slot};

impl Shard {
    /// Whether requests wait here, to be served or to be sent.
    pub(crate) fn has_requests(&self) -> bool {
        !self.tables.is_idle() || self.tables.has_departed() || self.mesh.waiting().0 > 0
    }

    /// Whether a peer's outbox holds messages that must be sent in the order in which they came.
    pub(crate) fn is_mixed(&self, slot: Slot) -> bool {
        self.connections.peers()[slot].outbox.is_mixed()
    }

    /// Bytes that a peer's socket has taken, by the peer's counts; and by the counts of its pacer, if it has
    /// one.
    pub(crate) fn bytes_sent(&self, slot: Slot) -> (u64, Option<u64>) {
        let peer = &self.connections.peers()[slot];
        (peer.counts.bytes_sent, peer.pacer.as_ref().map(|pacer| pacer.sent_in_all()))
    }

    /// The number of routes that a peer announces, as its shard counts them.
    pub(crate) fn routes_of(&self, slot: Slot) -> i64 {
        self.connections.peers()[slot].memberships.routes()
    }

    /// Whether the shard owns no table.
    pub(crate) fn owns_nothing(&self) -> bool {
        self.tables.owned().iter().next().is_none()
    }

    /// Whether a session has ended.
    pub(crate) fn has_ended(&self, slot: Slot) -> bool {
        self.connections.peers().get(slot).is_none_or(|peer| peer.is_closed)
    }

    /// Whether a connection is about to leave.
    pub(crate) fn is_leaving(&self, slot: Slot) -> bool {
        self.connections.peers().get(slot).is_some_and(|peer| peer.departure.is_some())
    }

    /// Whether a connection is not read now.
    pub(crate) fn is_paused(&self, slot: Slot) -> bool {
        self.connections.peers().get(slot).is_some_and(|peer| peer.is_paused)
    }

    /// The peers that have not been sent all that waits for them, as text.
    pub(crate) fn unflushed(&self) -> String {
        let peers = self.connections.peers().iter().filter(|(_, peer)| !peer.is_closed);
        let waits =
            peers.filter(|(_, peer)| peer.sending.writing || peer.pulls > 0 || peer.backlog() > 0);
        let text = waits.map(|(slot, peer)| {
            let (writing, ready, behind) = (peer.sending.writing, peer.is_ready, &peer.behind);
            let id = peer.id;
            format!("{id}: {}, writing {writing}, ready {ready}, {behind:?}; ", self.describe(slot))
        });
        text.collect()
    }

    /// The facts that a shard knows about a peer, as text.
    pub(crate) fn describe(&self, slot: Slot) -> String {
        let peer = &self.connections.peers()[slot];
        let (pulls, behind) = (peer.pulls, &peer.behind);
        format!("{pulls} pulls, behind {behind:?}, {} bytes waiting", peer.outbox.bytes())
    }

    /// The occupancy, counted by a look at each peer and each VNI. The numbers of backlogs change from look
    /// to look and are copied from `counted`.
    pub(crate) fn held(&self, counted: Occupancy) -> Occupancy {
        let Occupancy { behind, slow_peers, backlog, .. } = counted;
        let mut held = Occupancy { behind, slow_peers, backlog, ..Occupancy::default() };
        for (_, peer) in self.connections.peers().iter().filter(|(_, peer)| !peer.is_closed) {
            let is_established = peer.session.is_established();
            held.established += u64::from(is_established);
            held.connecting += u64::from(!is_established);
            held.subscriptions += peer.memberships.subscriptions();
        }
        for (_, entry) in self.tables.owned().iter() {
            let size = entry.table.size();
            held.vnis += 1;
            held.routes += u64::from(size.routes);
            held.tombstones += u64::from(size.tombstones);
            held.filtered += u64::from(size.filtered);
            held.journal += u64::from(size.journal);
        }
        held
    }

    /// The leftovers as text; empty when every peer has gone and nothing leaks.
    pub(crate) fn leftovers(&self) -> String {
        let (requests, deliveries) = self.mesh.waiting();
        let travelling = self.mesh.travelling();
        let mesh = [
            ("outgoing requests", requests),
            ("outgoing deliveries", deliveries),
            ("travelling peers", travelling),
        ];
        let left = self.connections.leftovers().into_iter().chain(self.tables.leftovers());
        let left = left.chain(mesh).filter(|(_, count)| *count > 0);
        left.map(|(name, count)| format!("{count} {name}; ")).collect()
    }
}
