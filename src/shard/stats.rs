//! What a shard counts. Plain numbers with one owner; readers get copies.

use std::collections::BTreeMap;

/// What a shard holds at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Sessions that live on the shard.
    pub peers: usize,
    /// VNIs whose tables it owns.
    pub vnis: usize,
    /// Routes in those tables.
    pub routes: usize,
    /// Sessions that ended, by [`CloseReason::name`](crate::CloseReason::name).
    pub closed: BTreeMap<&'static str, u64>,
    /// What it has counted besides.
    pub stats: Stats,
}

/// Counts since the shard began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Sessions begun.
    pub sessions: u64,
    /// Sessions that reached ESTABLISHED.
    pub established: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// UPDATEs received.
    pub updates_received: u64,
    /// Updates without effect: repeated ADDs, REMOVEs of routes not announced.
    pub updates_ignored: u64,
    /// Batches sealed by VNIs of this shard.
    pub batches: u64,
    /// Batches put into outboxes, one count per peer.
    pub batches_queued: u64,
    /// Times a subscriber fell behind and went on by cursor.
    pub fell_behind: u64,
    /// Chunks built or shared for subscribers that were behind.
    pub chunks: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Writes completed.
    pub writes: u64,
}
