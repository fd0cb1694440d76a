//! What a subscriber that is behind knows: see [`catch_up`](super::catch_up).

use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::Batch;
use super::slab::NONE;

/// What states can be the same for two subscribers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CursorKey {
    /// Knows nothing yet.
    Join,
    /// Knows the view as of a position.
    At(u64),
    /// What chunk number so-and-so left behind.
    After(u64),
}

/// What a subscriber that is behind knows. See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(super) key: CursorKey,
    pub(super) synced: u64,
    pub(super) walked: u64,
    /// End of a walked part, and the head when it was walked; ascending.
    pub(super) horizons: SmallVec<[(u64, u64); 2]>,
    /// Places below this have been dumped; 0: not even the default routes; `NONE`: all.
    pub(super) dumped: u32,
    /// What it has been brought past and is yet to be sent: of one destination with many next hops.
    pub(super) rest: Option<Arc<Rest>>,
}

/// Encoded parts of a destination, in order. Those in the same state share them.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) batch: Arc<Batch>,
    pub(super) next: Option<Arc<Self>>,
}

impl Cursor {
    /// Knows nothing.
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

    /// Knows the view as of `position`.
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

    /// As of which position it knows the view, but for what it has walked.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// The ends of walked parts, each with the head when it was walked.
    pub(super) fn horizons(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.horizons.iter().copied()
    }

    /// What it has been brought past and is yet to be sent, in order.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Batch> {
        let rest = std::iter::successors(self.rest.as_ref(), |rest| rest.next.as_ref());
        rest.map(|rest| &*rest.batch)
    }

    /// Whether it knows the view as of a position and nothing has been asked for since.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.key, CursorKey::At(_))
    }

    /// Makes a fresh cursor one that knows the view as of an earlier position, if that is earlier.
    pub(super) fn lower(&mut self, position: u64) {
        if position < self.synced {
            *self = Self::at(position);
        }
    }

    /// Whether it has been sent what it has been brought past, default routes and all others.
    pub(super) fn is_dumped(&self) -> bool {
        self.dumped == NONE && self.rest.is_none()
    }

    /// The oldest journal position it needs.
    pub(crate) fn needs(&self) -> Option<u64> {
        (self.dumped > 0).then_some(self.synced)
    }

    /// Every position that it knows the view of, or has walked to.
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

    /// As of which position the changes before `position` in its destination were sent.
    pub(super) fn horizon(&self, prev: Option<u64>) -> u64 {
        let Some(prev) = prev.filter(|&p| p >= self.synced) else {
            return self.synced;
        };
        let part = self.horizons.partition_point(|(end, _)| *end <= prev);
        self.horizons.get(part).map_or(self.synced, |(_, head)| *head)
    }
}
