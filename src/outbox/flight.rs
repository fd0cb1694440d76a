//! [`Flight`]: the content of the write that was built last.

use bytes::Bytes;

use crate::wire::Vni;

/// The number of VNIs for which memory is kept.
const KEPT: usize = 64;

/// The VNIs of the write that was built last, in their order, each with the start of its first batch, or 0 for an
/// answer to a cursor. A VNI that comes again later in a write is listed again.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The rest of a write that was begun elsewhere. Goes before everything.
    pub(super) rest: Option<Bytes>,
    parts: Vec<(Vni, u64)>,
    /// Whether the write is that rest.
    is_rest: bool,
}

impl Flight {
    /// Begins a write, of that rest or of waiting messages.
    pub(super) fn begin(&mut self, is_rest: bool) {
        self.is_rest = is_rest;
        self.parts.clear();
        if self.parts.capacity() > KEPT {
            self.parts = Vec::new();
        }
    }

    /// Notes that the write takes messages of a VNI from a batch that begins at `start`.
    #[inline]
    pub(super) fn take_up(&mut self, vni: Vni, start: impl FnOnce() -> u64) {
        if self.parts.last().is_none_or(|(last, _)| *last != vni) {
            self.parts.push((vni, start()));
        }
    }

    /// The first journal position whose changes of a VNI it holds; `None` when it holds none.
    pub(super) fn first_of(&self, vni: Vni) -> Option<u64> {
        let parts = self.parts.iter().filter(|(of, _)| *of == vni);
        let first = parts.map(|(_, start)| *start).min();
        if self.is_rest { Some(0) } else { first }
    }
}
