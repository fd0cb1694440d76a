//! [`Flight`]: the content of the write that was built last.

use bytes::Bytes;

use crate::wire::Vni;

/// VNIs that room is kept for.
const KEPT: usize = 64;

/// Of the write that was built last: its VNIs in their order, each with the start of its first batch, 0 for what answers
/// a cursor. A VNI that comes again later in a write stands there again.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The rest of a write that was begun elsewhere. Goes before everything.
    pub(super) rest: Option<Bytes>,
    parts: Vec<(Vni, u64)>,
    /// It is that rest.
    is_rest: bool,
}

impl Flight {
    /// A write is about to be built, of that rest or of what waits.
    pub(super) fn begin(&mut self, is_rest: bool) {
        self.is_rest = is_rest;
        self.parts.clear();
        if self.parts.capacity() > KEPT {
            self.parts = Vec::new();
        }
    }

    /// Something of a VNI goes into it, which begins at `start`.
    #[inline]
    pub(super) fn take_up(&mut self, vni: Vni, start: impl FnOnce() -> u64) {
        if self.parts.last().is_none_or(|(last, _)| *last != vni) {
            self.parts.push((vni, start()));
        }
    }

    /// From which journal position on it has changes of a VNI; `None` when it has none.
    pub(super) fn first_of(&self, vni: Vni) -> Option<u64> {
        let parts = self.parts.iter().filter(|(of, _)| *of == vni);
        let first = parts.map(|(_, start)| *start).min();
        if self.is_rest { Some(0) } else { first }
    }
}
