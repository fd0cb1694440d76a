//! What is kept of a journal, and until when.

use std::collections::VecDeque;
use std::sync::Weak;

use super::batch::Batch;
use super::bounds::TableBounds;

/// How far a pass has come, and where it ends.
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
    /// Whom it is for.
    pub(super) subscribers: usize,
}

/// What of the journal is kept, and when to look at that again.
#[derive(Debug)]
pub(super) struct Retention {
    pub(super) pins: VecDeque<Pin>,
    /// How long the journal is when it is trimmed next.
    pub(super) trim_at: usize,
    /// The journal's head when it was trimmed last.
    pub(super) trimmed_at: u64,
    /// Nobody needs the journal before this position.
    pub(super) needless: u64,
    /// How long the journal is when it is compacted next.
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
