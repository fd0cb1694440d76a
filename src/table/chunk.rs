//! Chunks, and those that are remembered for others in the same state: see [`catch_up`](super::catch_up).

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{Audience, Batch};
use super::cursor::{Cursor, CursorKey};
use crate::ids::Moment;

/// For how long a chunk is remembered for others in the same state.
const CACHED_FOR: std::time::Duration = std::time::Duration::from_secs(1);

/// Something for a subscriber that is behind.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// `None` when everything pending cancelled out.
    pub(crate) batch: Option<Arc<Batch>>,
    /// The dump that answers a SUBSCRIBE is complete with this.
    pub(crate) end_of_table: bool,
    /// From here on the subscriber gets sealed batches.
    pub(crate) in_sync: bool,
}

/// Chunks that others in the same state can have as they are.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    chunks: VecDeque<Cached>,
    pub(super) serial: u64,
}

#[derive(Debug)]
pub(super) struct Cached {
    pub(super) key: CursorKey,
    pub(super) audience: Audience,
    pub(super) chunk: Chunk,
    pub(super) next: Cursor,
    pub(super) built: Moment,
}

impl Cache {
    /// The oldest journal position that a remembered chunk's successor needs.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.chunks.iter().filter_map(|cached| cached.next.needs()).min()
    }

    /// What those know who got the remembered chunks.
    pub(super) fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.chunks.iter().map(|cached| &cached.next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Forgets first chunks of dumps: those begin with the default routes, which have changed.
    pub(crate) fn forget_first(&mut self) {
        self.chunks.retain(|cached| cached.key != CursorKey::Join);
    }

    /// Forgets all: they say of a route by which connection it is announced, and that has changed.
    pub(super) fn forget_all(&mut self) {
        self.chunks.clear();
    }

    /// Forgets chunks that nobody is likely to ask for any more.
    pub(crate) fn expire(&mut self, now: Moment) {
        while self.chunks.front().is_some_and(|cached| now.since(cached.built) > CACHED_FOR) {
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
    }

    pub(super) fn find(&self, key: CursorKey, audience: Audience) -> Option<(Chunk, Cursor)> {
        let cached = self.chunks.iter().find(|c| c.key == key && c.audience == audience)?;
        Some((cached.chunk.clone(), cached.next.clone()))
    }

    pub(super) fn remember(&mut self, cached: Cached, most: usize) {
        if self.chunks.len() >= most {
            self.chunks.pop_front();
        }
        self.chunks.push_back(cached);
    }
}
