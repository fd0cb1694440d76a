//! What has been read, and who waits to be read again.

use super::Slot;
use crate::ids::Moment;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Reading {
    /// When the read that is being taken in was made.
    pub(super) at: Moment,
    /// Bytes taken in since the last turn.
    pub(super) read: usize,
    /// Peers to be read again as soon as anybody is.
    pub(super) paused: Vec<Slot>,
    /// Peers that were resumed together last.
    pub(super) resumed: usize,
}

impl Reading {
    pub(super) fn new(now: Moment) -> Self {
        Self { at: now, read: 0, paused: Vec::new(), resumed: 0 }
    }

    /// Peers that wait to be read again, with nothing of their own waiting.
    #[cfg(test)]
    pub(super) fn paused(&self) -> usize {
        self.paused.len()
    }
}
