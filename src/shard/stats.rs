//! What a shard counts. Plain numbers with one owner; readers get copies.

/// Counts since the shard began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Sessions begun: HELLOs received.
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
    /// Times that the shard's clock tick was more than a second late.
    pub late_ticks: u64,
}
