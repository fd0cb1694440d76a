//! How much of everything one VNI handles or keeps at a time.

/// The bounds of batches, chunks and the journal. Correctness does not depend on any of them: the simulation uses
/// values down to 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableBounds {
    /// The number of next hops that one destination may have at a time; further ones are ignored.
    pub next_hops: u32,
    /// The number of changes at which the open batch is sealed before the end of the turn: about 80 KB of frames. From
    /// this size on, the bytes determine the cost of a send, not the call.
    pub seal_at: u64,
    /// The number of journal entries below which the journal is not trimmed, because trimming looks at every cursor.
    /// Half of this number, the newest entries, is kept until the next tick.
    pub trim_at: usize,
    /// The number of journal entries above which entries are coalesced that no cursor can tell apart.
    pub compact_at: usize,
    /// The number of journal entries kept for members that are behind: this many, and `journal_per_route` for each
    /// route.
    pub journal_min: usize,
    /// The number of further journal entries for each route; see `journal_min`.
    pub journal_per_route: usize,
    /// The most positions from a cursor to the newest entry of the journal. Most of the entries between them may have
    /// been removed; distances between entries are kept in 32 bits.
    pub journal_span: u64,
    /// The number of journal entries that are forgotten, or looked at to be coalesced, at a time.
    pub portion: usize,
    /// The number of ticks (half seconds) without a change after which a small VNI is packed.
    pub pack_after: u8,
    /// The number of places looked at for one chunk of a dump; it bounds the time for one chunk.
    pub chunk_places: u32,
    /// The number of journal entries looked at for one chunk.
    pub chunk_entries: u64,
    /// The number of chunks remembered for other subscribers in the same state. Subscribers on different shards may be
    /// this many chunks apart; for one that is further behind, chunks are encoded anew.
    pub cached_chunks: usize,
}

impl Default for TableBounds {
    fn default() -> Self {
        Self {
            next_hops: 4096,
            seal_at: 2048,
            trim_at: 4096,
            compact_at: 32_768,
            journal_min: 1 << 20,
            journal_per_route: 4,
            journal_span: 1 << 28,
            portion: 2048,
            pack_after: 8,
            chunk_places: 16_384,
            chunk_entries: 16_384,
            cached_chunks: 256,
        }
    }
}
