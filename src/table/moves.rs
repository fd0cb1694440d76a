//! What a table has to do so that a member's connection can move to another shard.

use super::catch_up::Cursor;
use super::member::Subscription;
use super::vnet::Vnet;
use crate::ids::{PeerId, ShardId};

impl Vnet {
    /// A peer's connection moves to another shard. If it is in sync, it goes on by asking, from the last
    /// sealed batch; returns whether it was. Send what has been sealed before this: the peer has to get that
    /// where it is.
    pub(crate) fn relocate(&mut self, peer: PeerId, to: ShardId) -> bool {
        debug_assert!(self.sealed.is_empty(), "what has been sealed has been sent");
        let Some(member) = self.find_member(peer) else { return false };
        let open = self.open;
        let entry = &mut self.members[member as usize];
        let origin = entry.origin;
        entry.origin.shard = to;
        if !matches!(entry.subscription, Subscription::InSync) {
            return false;
        }
        entry.subscription = Subscription::Behind(Box::new(Cursor::at(open)));
        self.in_sync[origin.shard.index()][origin.audience() as usize] -= 1;
        self.list_behind(member);
        true
    }
}
