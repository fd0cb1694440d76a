//! A guest: a part of the program (federation, or the bridge of a proxy) on a shard that owns no VNI and serves no
//! connection. To owners of VNIs a guest is a set of peers, with the same requests and deliveries as the peers of other
//! shards.
//!
//! A [`Guest`] is called only on the thread of its shard, and starts its tasks there.

use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::ids::{Moment, ShardId};
use crate::shard::{Delivery, Shard};

/// See the module's documentation.
pub(crate) trait Guest: fmt::Debug {
    /// Takes a parcel that an owner of VNIs has sent to the guest's shard.
    fn delivered(&self, now: Moment, parcel: &[Delivery]);

    /// Does the work that is due. Returns the moment for the next turn, at most a second later.
    fn turn(&self, now: Moment, shard: &mut Shard) -> Moment;

    /// Is notified when there is work for a turn.
    fn news(&self) -> &Notify;

    /// Whether no delivery of an owner waits in the guest.
    fn is_flushed(&self) -> bool;
}

/// Makes a guest, on the thread of its shard.
pub(crate) struct Invitation(Box<dyn FnOnce(ShardId, Instant) -> Rc<dyn Guest> + Send>);

impl Invitation {
    /// An invitation for the guest that `make` makes.
    pub(crate) fn new(
        make: impl FnOnce(ShardId, Instant) -> Rc<dyn Guest> + Send + 'static,
    ) -> Self {
        Self(Box::new(make))
    }

    /// Makes the guest. Moments count from `began`.
    pub(crate) fn accept(self, shard: ShardId, began: Instant) -> Rc<dyn Guest> {
        (self.0)(shard, began)
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").finish_non_exhaustive()
    }
}
