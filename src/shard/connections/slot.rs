//! [`Slot`]: where a connection is on its shard.

use crate::shard::slab::handle;

handle!(
    /// A connection's place on its shard, valid from [`Connections::connect`](super::Connections::connect) to [`Connections::release`](super::Connections::release).
    Slot
);

impl Slot {
    /// The index in an array of all connections of the shard.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}
