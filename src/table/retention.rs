//! What is kept of a journal, and until when.

use std::collections::VecDeque;
use std::sync::Weak;

use super::batch::Batch;
use super::bounds::TableBounds;

/// The position of a pass, and its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    pub(super) at: u64,
    pub(super) end: u64,
}

/// A sealed batch whose bytes may still wait in some peer's queue.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) start: u64,
    pub(super) batch: Weak<Batch>,
    /// The number of subscribers that it is for.
    pub(super) subscribers: usize,
}

/// The part of the journal that is kept, and when to look at that again.
#[derive(Debug)]
pub(super) struct Retention {
    pub(super) pins: VecDeque<Pin>,
    /// The length of the journal at which it is trimmed next.
    pub(super) trim_at: usize,
    /// The journal's head at its latest trim.
    pub(super) trimmed_at: u64,
    /// No cursor and no batch needs the journal before this position.
    pub(super) needless: u64,
    /// The length of the journal at which it is compacted next.
    pub(super) compact_at: usize,
    /// A compaction that is under way.
    pub(super) pass: Option<Pass>,
}

impl Retention {
    pub(super) fn new(bounds: &TableBounds) -> Self {
        let TableBounds { trim_at, compact_at, .. } = *bounds;
        Self { pins: VecDeque::new(), trim_at, trimmed_at: 0, needless: 0, compact_at, pass: None }
    }
}
