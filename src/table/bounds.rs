//! How much of everything one VNI handles or keeps at a time.

/// The numbers that shape batches, chunks and the journal. Correctness does not depend on any of
/// them: the simulation draws them down to 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableBounds {
    /// Next hops that one destination may have at a time; further ones are ignored.
    pub next_hops: u32,
    /// Changes at which the open batch is sealed without waiting for the end of the turn: about
    /// 80 KB of frames, where a send costs what its bytes cost and no longer what the call costs.
    pub seal_at: u64,
    /// Journal entries below which trimming is not worth the look at every cursor. The newest half of so many is
    /// kept until the next tick.
    pub trim_at: usize,
    /// Journal entries past which those that no cursor can tell apart are coalesced.
    pub compact_at: usize,
    /// Journal entries kept for members that are behind: this many, and some for each route.
    pub journal_min: usize,
    /// See `journal_min`.
    pub journal_per_route: usize,
    /// Positions between the journal's head and a cursor. Most of them may be of entries that were taken out;
    /// distances between entries are kept in 32 bits.
    pub journal_span: u64,
    /// Journal entries forgotten, or looked at to be coalesced, at a time.
    pub portion: usize,
    /// Ticks without a change after which a small VNI is packed.
    pub pack_after: u8,
    /// Places looked at for one chunk of a dump, taken or not: bounds the time for one chunk.
    pub chunk_places: u32,
    /// Journal entries looked at for one chunk.
    pub chunk_entries: u64,
    /// Chunks remembered for others in the same state: as many as subscribers on different shards get
    /// apart, since one that comes too late encodes everything from there on anew.
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
