//! What a subscriber that is behind knows: see [`catch_up`](super::catch_up).

use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::Batch;
use super::slab::NONE;

/// The state of a cursor, if two subscribers can share it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CursorKey {
    /// It knows nothing yet.
    Join,
    /// It knows the view as of a position.
    At(u64),
    /// Its state after the chunk with this number.
    After(u64),
}

/// The knowledge of a subscriber that is behind. See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(super) key: CursorKey,
    pub(super) synced: u64,
    pub(super) walked: u64,
    /// The end of each walked part, and the head when it was walked; ascending.
    pub(super) horizons: SmallVec<[(u64, u64); 2]>,
    /// Places below this have been dumped; 0: not even the default routes; `NONE`: all.
    pub(super) dumped: u32,
    /// Parts that are still to be sent, of a destination with many next hops that the cursor has passed.
    pub(super) rest: Option<Arc<Rest>>,
}

/// Encoded parts of a destination, in order. Cursors in the same state share them.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) batch: Arc<Batch>,
    pub(super) next: Option<Arc<Self>>,
}

impl Cursor {
    /// A cursor that knows nothing.
    pub(crate) fn join() -> Self {
        Self {
            key: CursorKey::Join,
            synced: 0,
            walked: 0,
            horizons: SmallVec::new(),
            dumped: 0,
            rest: None,
        }
    }

    /// A cursor that knows the view as of `position`.
    pub(crate) fn at(position: u64) -> Self {
        Self {
            key: CursorKey::At(position),
            synced: position,
            walked: position,
            horizons: SmallVec::new(),
            dumped: NONE,
            rest: None,
        }
    }

    /// The position as of which it knows the view, not counting its walked parts.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// The ends of walked parts, each with the head when it was walked.
    pub(super) fn horizons(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.horizons.iter().copied()
    }

    /// The parts that it has passed and that are still to be sent, in order.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Batch> {
        let rest = std::iter::successors(self.rest.as_ref(), |rest| rest.next.as_ref());
        rest.map(|rest| &*rest.batch)
    }

    /// Whether it knows the view as of a position and no chunk has been asked for since.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.key, CursorKey::At(_))
    }

    /// Moves a fresh cursor back to an earlier position, if that is earlier.
    pub(super) fn lower(&mut self, position: u64) {
        if position < self.synced {
            *self = Self::at(position);
        }
    }

    /// Whether all routes have been sent: default routes, all others, and the rest of a destination.
    pub(super) fn is_dumped(&self) -> bool {
        self.dumped == NONE && self.rest.is_none()
    }

    /// The oldest journal position it needs.
    pub(crate) fn needs(&self) -> Option<u64> {
        (self.dumped > 0).then_some(self.synced)
    }

    /// Every position as of which it knows the view, or to which it has walked.
    pub(super) fn positions(&self, mut each: impl FnMut(u64)) {
        each(self.synced);
        each(self.walked);
        for (walked, head) in &self.horizons {
            each(*walked);
            each(*head);
        }
    }

    /// The part that it has walked since it was synced, if any.
    pub(super) fn walked_part(&self) -> Option<(u64, u64)> {
        (self.synced < self.walked).then_some((self.synced, self.walked))
    }

    /// The position as of which the subscriber knows a destination whose previous change was at `prev`.
    pub(super) fn horizon(&self, prev: Option<u64>) -> u64 {
        let Some(prev) = prev.filter(|&p| p >= self.synced) else {
            return self.synced;
        };
        let part = self.horizons.partition_point(|(end, _)| *end <= prev);
        self.horizons.get(part).map_or(self.synced, |(_, head)| *head)
    }
}
