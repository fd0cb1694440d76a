//! Holds every queue of every test to its promise: a peer whose turn it could be waits for one quantum of
//! each other peer at most.

use std::collections::BTreeMap;

use super::QUANTUM;
use crate::ids::PeerId;

/// By how much the last request of a turn may exceed the quantum: the cost of a chunk.
const OVERSHOOT: usize = 512;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// For each waiting peer: the cost that each other peer has been served since.
    waiting: BTreeMap<PeerId, BTreeMap<PeerId, usize>>,
}

impl Audit {
    /// A request of a peer came.
    pub(super) fn waits(&mut self, peer: PeerId) {
        self.waiting.entry(peer).or_default();
    }

    /// A peer has its turn.
    pub(super) fn begin(&mut self, peer: PeerId) {
        for (other, cost) in self.waiting.remove(&peer).into_iter().flatten() {
            assert!(cost < QUANTUM + OVERSHOOT, "{peer} has waited for {cost} of {other}");
        }
    }

    /// A request of a peer has been served; `more` says whether other requests of it wait.
    pub(super) fn served(&mut self, peer: PeerId, cost: usize, more: bool) {
        self.waiting.remove(&peer);
        for others in self.waiting.values_mut() {
            *others.entry(peer).or_default() += cost;
        }
        if more {
            self.waits(peer);
        }
    }

    /// The turn of a peer is over, or it was skipped because its earlier turns cost too much.
    pub(super) fn passed(&mut self, peer: PeerId) {
        self.waiting.insert(peer, BTreeMap::new());
    }

    /// A peer's request was put back: the peer waits for itself.
    pub(super) fn put_back(&mut self, peer: PeerId, cost: usize) {
        self.served(peer, cost, true);
    }
}
