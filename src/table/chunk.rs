//! Chunks, and those that are remembered for others in the same state: see [`catch_up`](super::catch_up).

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{Audience, Batch};
use super::cursor::{Cursor, CursorKey};
use crate::ids::Moment;

/// For how long a chunk is remembered for other subscribers in the same state.
const CACHED_FOR: std::time::Duration = std::time::Duration::from_secs(1);

/// A step for a subscriber that is behind.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// `None` when all pending changes cancelled out.
    pub(crate) batch: Option<Arc<Batch>>,
    /// Whether it completes the dump that answers a SUBSCRIBE.
    pub(crate) end_of_table: bool,
    /// Whether the subscriber gets sealed batches from here on.
    pub(crate) in_sync: bool,
}

/// Chunks that other subscribers in the same state can have as they are.
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

    /// The cursors of the subscribers that got the remembered chunks.
    pub(super) fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.chunks.iter().map(|cached| &cached.next)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Forgets first chunks of dumps: they begin with the default routes, which have changed.
    pub(crate) fn forget_first(&mut self) {
        self.chunks.retain(|cached| cached.key != CursorKey::Join);
    }

    /// Forgets all chunks: they depend on announcers' connections and on preferences, and these have changed.
    pub(super) fn forget_all(&mut self) {
        self.chunks.clear();
    }

    /// Forgets chunks that subscribers are unlikely to ask for.
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
