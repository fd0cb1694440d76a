//! What is known of connections that are about to leave, one or all of them.

use std::sync::Arc;

use crate::ids::ShardId;
use crate::table::Batch;
use crate::wire::Vni;

/// A connection that is about to leave.
#[derive(Debug)]
pub(in crate::shard) struct Departure {
    pub(super) number: u64,
    /// Owners that have not answered yet.
    pub(super) awaited: Vec<ShardId>,
    /// The first batch of each VNI that the connection can't take before it leaves.
    pub(super) refused: Vec<(Vni, Arc<Batch>)>,
    /// Bytes that were read and not handled yet.
    pub(super) unread: Vec<u8>,
    /// Whether a handover was told that this connection leaves.
    pub(super) parts: bool,
}

impl Departure {
    /// The departure of a connection that these owners know; each of them must answer.
    pub(super) fn new(number: u64, awaited: Vec<ShardId>) -> Self {
        Self { number, awaited, refused: Vec::new(), unread: Vec::new(), parts: false }
    }

    /// Whether every owner has answered.
    pub(super) fn is_ready(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Takes the first batch of each VNI that the connection can't take; the caller tells the owners.
    pub(super) fn take_refused(&mut self) -> Vec<(Vni, Arc<Batch>)> {
        std::mem::take(&mut self.refused)
    }

    /// The number of the move.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Keeps bytes for the shard to which the connection moves.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// The peer could not take a batch.
    pub(super) fn refuse(&mut self, from: Arc<Batch>) {
        if !self.refused.iter().any(|(vni, _)| *vni == from.vni) {
            self.refused.push((from.vni, from));
        }
    }
}

/// The state in which the shard neither reads connections nor sends to them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freeze {
    /// The number of the handover.
    pub(super) number: u64,
    /// The number of connections that still lack the answer of some owner.
    pub(super) awaited: usize,
    /// Whether connections leave.
    pub(super) parts: bool,
}
