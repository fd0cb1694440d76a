//! A queue that is empty for most peers.
//!
//! An empty queue takes one word. The first entry allocates the rest, and [`RareQueue::rest`] frees it.

use std::collections::VecDeque;

/// See the module's documentation.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "each peer has room for it, and few need it")]
pub(in crate::shard) struct RareQueue<T>(Option<Box<VecDeque<T>>>);

impl<T> Default for RareQueue<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> RareQueue<T> {
    pub(in crate::shard) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len())
    }

    pub(in crate::shard) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(in crate::shard) fn push_back(&mut self, value: T) {
        self.0.get_or_insert_default().push_back(value);
    }

    pub(in crate::shard) fn pop_front(&mut self) -> Option<T> {
        self.0.as_mut()?.pop_front()
    }

    pub(in crate::shard) fn retain(&mut self, keeps: impl FnMut(&T) -> bool) {
        if let Some(queue) = &mut self.0 {
            queue.retain(keeps);
        }
    }

    /// Gives back the memory of an empty queue.
    pub(in crate::shard) fn rest(&mut self) {
        if self.is_empty() {
            self.0 = None;
        }
    }
}
