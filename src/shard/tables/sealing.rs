//! What there is to seal, and what decides when.

use super::owned::TableId;
use crate::ids::Moment;

/// The VNIs to seal, and the numbers that decide when to seal them.
#[derive(Debug)]
pub(super) struct Sealing {
    /// VNIs with changes to seal.
    pub(super) dirty: Vec<TableId>,
    /// The time since which there have been changes to seal, by the clock of turns.
    pub(super) dirty_since: Option<Moment>,
    /// Changes since the last seal.
    pub(super) gathered: usize,
    /// The time of the last seal, or of the last write after it.
    pub(super) last_send: Moment,
    /// Writes since the last seal, and the smallest number of writes that this seal caused on other shards.
    pub(super) sends: u32,
    pub(super) remote_sends: u32,
}

impl Sealing {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            dirty: Vec::new(),
            dirty_since: None,
            gathered: 0,
            last_send: now,
            sends: 0,
            remote_sends: 0,
        }
    }

    /// Begins to seal: takes the VNIs with changes.
    pub(super) fn begin(&mut self, now: Moment) -> Vec<TableId> {
        (self.last_send, self.dirty_since, self.gathered) = (now, None, 0);
        (self.sends, self.remote_sends) = (0, 0);
        std::mem::take(&mut self.dirty)
    }
}
