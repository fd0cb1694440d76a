//! What has been read, and who waits to be read again.

use super::Slot;
use crate::ids::Moment;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Reading {
    /// When the bytes that are being taken in were read.
    pub(super) at: Moment,
    /// Bytes taken in since the last turn.
    pub(super) read: usize,
    /// Peers to be read again as soon as any peer may be read.
    pub(super) paused: Vec<Slot>,
    /// The number of peers that were last resumed together.
    pub(super) resumed: usize,
}

impl Reading {
    pub(super) fn new(now: Moment) -> Self {
        Self { at: now, read: 0, paused: Vec::new(), resumed: 0 }
    }

    /// The number of peers that wait to be read again although none of their own requests wait.
    #[cfg(test)]
    pub(super) fn paused(&self) -> usize {
        self.paused.len()
    }
}
