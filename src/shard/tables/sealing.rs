//! What there is to seal, and what decides when.

use super::owned::TableId;
use crate::ids::Moment;

/// What there is to seal, and what decides when.
#[derive(Debug)]
pub(super) struct Sealing {
    /// VNIs with changes to seal.
    pub(super) dirty: Vec<TableId>,
    /// Since when there has been something to seal, as turns go.
    pub(super) dirty_since: Option<Moment>,
    /// Changes since the last seal.
    pub(super) gathered: usize,
    /// When the last seal, or the last write since, was done.
    pub(super) last_send: Moment,
    /// Writes since the last seal, and those that it made for another shard at least.
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

    /// What has been gathered is being sealed.
    pub(super) fn begin(&mut self, now: Moment) -> Vec<TableId> {
        (self.last_send, self.dirty_since, self.gathered) = (now, None, 0);
        (self.sends, self.remote_sends) = (0, 0);
        std::mem::take(&mut self.dirty)
    }
}
