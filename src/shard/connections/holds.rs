//! When the KEEPALIVEs of quiet peers wake nobody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Slot;
use crate::ids::Moment;

/// When peers are to be held, and let go. May mention some for which that is off.
#[derive(Debug, Default)]
pub(super) struct Holds(BinaryHeap<Reverse<(Moment, Slot)>>);

impl Holds {
    pub(super) fn push(&mut self, at: Moment, slot: Slot) {
        self.0.push(Reverse((at, slot)));
    }

    /// The earliest of them.
    pub(super) fn first(&self) -> Option<(Moment, Slot)> {
        self.0.peek().map(|&Reverse(first)| first)
    }

    /// Forgets the earliest of them.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}
