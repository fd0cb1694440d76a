//! What the simulation looks at.

use super::inbox::Side;
use super::inspect::Holdings;
use super::{Shard, Slot};

impl Shard {
    /// Whether requests wait here, to be served to the end or to be sent.
    pub(crate) fn has_requests(&self) -> bool {
        !self.inbox.is_empty()
            || !self.departed.is_empty()
            || self.lanes.iter().any(|lanes| !lanes.requests.is_empty())
    }

    /// Whether a peer's outbox holds what must go in the order in which it came.
    pub(crate) fn is_mixed(&self, slot: Slot) -> bool {
        self.peers[slot as usize].as_ref().is_some_and(|peer| peer.outbox.is_mixed())
    }

    /// What a shard knows of a peer.
    pub(crate) fn describe(&self, slot: Slot) -> String {
        self.peers[slot as usize].as_ref().map_or_else(String::new, |peer| {
            let (pulls, behind) = (peer.pulls, &peer.behind);
            format!("{pulls} pulls, behind {behind:?}, {} bytes waiting", peer.outbox.bytes())
        })
    }

    /// What it holds, by a look at each peer and each VNI. What waits for peers changes from look to
    /// look and is left as it is told.
    pub(crate) fn held(&self, told: Holdings) -> Holdings {
        let Holdings { behind, slow_peers, backlog, .. } = told;
        let mut held = Holdings { behind, slow_peers, backlog, ..Holdings::default() };
        for peer in self.peers.iter().flatten().filter(|peer| !peer.is_closed) {
            let is_established = peer.session.is_established();
            held.established += u64::from(is_established);
            held.connecting += u64::from(!is_established);
            held.subscriptions += peer.subscriptions;
        }
        for entry in self.owned.iter().flatten() {
            let size = entry.vnet.size();
            held.vnis += 1;
            held.routes += size.routes;
            held.tombstones += size.tombstones;
            held.journal += size.journal;
        }
        held
    }

    /// What is left, as text; empty when every peer has gone and nothing leaks.
    pub(crate) fn leftovers(&self) -> String {
        let mut left = String::new();
        let mut note = |name: &str, count: usize| {
            if count > 0 {
                left.push_str(&format!("{count} {name}; "));
            }
        };
        note("peers", self.peers.iter().flatten().count());
        note("peer names", self.by_id.len());
        note("subscriber lists", self.subscribers.len());
        note("ready peers", self.ready.len());
        note("paused peers", self.paused.len());
        note("ended sessions", self.closed.len());
        note("VNIs", self.owned.iter().flatten().count());
        note("VNI names", self.owned_index.len());
        note("dirty VNIs", self.dirty.len());
        note("lingering VNIs", self.lingering.len());
        note("requests", self.inbox.len());
        note("request cost", self.inbox.cost(Side::Own) + self.inbox.cost(Side::Others));
        for lanes in &self.lanes {
            note("outgoing requests", lanes.requests.len());
            note("outgoing request cost", lanes.request_cost);
            note("outgoing deliveries", lanes.deliveries.len());
        }
        left
    }
}
