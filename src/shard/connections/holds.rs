//! When the KEEPALIVEs of quiet peers wake nobody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Slot;
use crate::ids::Moment;

/// The moments at which holds begin and end. A moment may be out of date: its hold is off.
///
/// Bound: two moments for each peer, because a peer is held only for the next KEEPALIVE, and only if its last ones came
/// one interval after the other.
#[derive(Debug, Default)]
pub(super) struct Holds(BinaryHeap<Reverse<(Moment, Slot)>>);

impl Holds {
    pub(super) fn push(&mut self, at: Moment, slot: Slot) {
        self.0.push(Reverse((at, slot)));
    }

    /// The earliest moment.
    pub(super) fn first(&self) -> Option<(Moment, Slot)> {
        self.0.peek().map(|&Reverse(first)| first)
    }

    /// Forgets the earliest moment.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}
