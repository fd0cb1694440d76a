//! Holds every queue of every test to its promise: a peer whose turn it could be waits for one quantum of
//! each other peer at most.

use std::collections::BTreeMap;

use super::QUANTUM;
use crate::ids::PeerId;

/// What the last request of a turn may cost beyond the quantum: a chunk.
const OVERSHOOT: usize = 512;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// For each peer that waits, what each other has been served since.
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

    /// Something of a peer has been served; `more` says whether it goes on waiting.
    pub(super) fn served(&mut self, peer: PeerId, cost: usize, more: bool) {
        self.waiting.remove(&peer);
        for others in self.waiting.values_mut() {
            *others.entry(peer).or_default() += cost;
        }
        if more {
            self.waits(peer);
        }
    }

    /// The turn of a peer is over, or it passed one because it had had too much before.
    pub(super) fn passed(&mut self, peer: PeerId) {
        self.waiting.insert(peer, BTreeMap::new());
    }

    /// What a peer was to be served was put back: it waits for itself.
    pub(super) fn put_back(&mut self, peer: PeerId, cost: usize) {
        self.served(peer, cost, true);
    }
}
