//! A guest: what else runs on the shard that owns no VNI and serves no connection. Owners of VNIs know it as
//! peers, by the same requests and deliveries as the shards of connections.
//!
//! State: that shard's. A [`Guest`] is called on its thread only, and starts tasks of its own there.

use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::ids::{Moment, ShardId};
use crate::shard::{Delivery, Shard};

/// See the module's documentation.
pub(crate) trait Guest: fmt::Debug {
    /// Shows it what owners of VNIs have sent to its shard.
    fn delivered(&self, now: Moment, parcel: &[Delivery]);

    /// Does what is due. Returns when it wants the next turn, within a second.
    fn turn(&self, now: Moment, shard: &mut Shard) -> Moment;

    /// Is told when a turn has something to see to.
    fn news(&self) -> &Notify;

    /// Whether nothing of what owners have sent waits.
    fn is_flushed(&self) -> bool;
}

/// Makes a guest, on the thread of its shard.
pub(crate) struct Invitation(Box<dyn FnOnce(ShardId, Instant) -> Rc<dyn Guest> + Send>);

impl Invitation {
    /// Of the guest that `make` makes.
    pub(crate) fn new(
        make: impl FnOnce(ShardId, Instant) -> Rc<dyn Guest> + Send + 'static,
    ) -> Self {
        Self(Box::new(make))
    }

    /// The guest. Moments count from `began`.
    pub(crate) fn accept(self, shard: ShardId, began: Instant) -> Rc<dyn Guest> {
        (self.0)(shard, began)
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").finish_non_exhaustive()
    }
}
