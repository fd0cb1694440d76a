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
    /// The first batch of each VNI that the peer will not have been sent.
    pub(super) refused: Vec<(Vni, Arc<Batch>)>,
    /// What was read after the last turn at which it was read.
    pub(super) unread: Vec<u8>,
    /// Whether it is one of the connections of which a handover was told that they leave.
    pub(super) parts: bool,
}

impl Departure {
    /// Of a connection that owners know of, each of which is to answer.
    pub(super) fn new(number: u64, awaited: Vec<ShardId>) -> Self {
        Self { number, awaited, refused: Vec::new(), unread: Vec::new(), parts: false }
    }

    /// Whether every owner has answered.
    pub(super) fn is_ready(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The first batch of each VNI that the peer will not have been sent: its owner is told here.
    pub(super) fn take_refused(&mut self) -> Vec<(Vni, Arc<Batch>)> {
        std::mem::take(&mut self.refused)
    }

    /// Which move it is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Keeps bytes for the shard where the connection will be.
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

/// That no connection is read or sent anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freeze {
    /// Which handover it is for.
    pub(super) number: u64,
    /// Connections of which not every owner has answered yet.
    pub(super) awaited: usize,
    /// Whether connections leave.
    pub(super) parts: bool,
}
