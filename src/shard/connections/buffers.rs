//! Buffers for writes, used again and again.

use crate::outbox::{Gather, OutBuf};

/// Buffers for writes of several pieces.
#[derive(Debug, Default)]
pub(super) struct Buffers(Vec<Gather>);

impl Buffers {
    /// The number of buffers that are kept.
    const KEPT: usize = 64;

    pub(super) fn lend(&mut self) -> Gather {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&mut self, bytes: OutBuf) {
        if let OutBuf::Gathered(mut buffer) = bytes
            && self.0.len() < Self::KEPT
        {
            buffer.clear();
            self.0.push(buffer);
        }
    }
}
