//! A subscriber that was in sync continues by a cursor: because its outbox has refused a batch, or because its
//! connection moves to another shard.

use super::cursor::Cursor;
use super::member::{Origin, Subscription};
use super::vnet::Vnet;
use crate::ids::{PeerId, ShardId};

impl Vnet {
    /// Moves a peer's connection to another shard. If the peer is in sync, it goes on by asking, from the last
    /// sealed batch; returns whether it was in sync. Send sealed batches before this: the peer must get them
    /// on its old shard.
    pub(crate) fn relocate(&mut self, peer: PeerId, to: ShardId) -> bool {
        debug_assert!(self.sealed.is_empty(), "what has been sealed has been sent");
        let Some(member) = self.members.find(peer) else { return false };
        let was_in_sync = matches!(self.members[member].subscription, Subscription::InSync);
        if was_in_sync {
            self.members.set_behind(member, Cursor::at(self.open));
        }
        self.members[member].origin.shard = to;
        was_in_sync
    }

    /// A subscriber could not take the batch that began at `from`, nor any after it. Returns `None`, unless the journal
    /// no longer holds that position, which a batch kept alive until now rules out: then it returns the
    /// shard on which the peer must be closed.
    pub(crate) fn fell_behind(&mut self, peer: PeerId, from: u64) -> Option<ShardId> {
        let member = self.members.find(peer)?;
        let entry = &mut self.members[member];
        let Origin { shard, .. } = entry.origin;
        match &mut entry.subscription {
            Subscription::InSync if from >= self.journal.base() => {
                self.members.set_behind(member, Cursor::at(from));
                None
            }
            // Its connection moves, and the batches that it was to get here did not go with it.
            Subscription::Behind(cursor) if cursor.is_fresh() && from >= self.journal.base() => {
                cursor.lower(from);
                None
            }
            Subscription::Behind(cursor) if !cursor.is_fresh() => None,
            Subscription::None => None,
            Subscription::InSync | Subscription::Behind(_) => Some(shard),
        }
    }
}
