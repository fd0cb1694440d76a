//! A guest: what else runs on the shard that owns no VNI and serves no connection. Owners of VNIs know it as
//! peers, by the same requests and deliveries as the shards of connections.
//!
//! State: that shard's. A [`Guest`] is called on its thread only, and starts tasks of its own there.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::driver::Core;
use crate::config::FederationConfig;
use crate::federation::{Federation, Roster};
use crate::ids::{Moment, ShardId};
use crate::portable::form::piece::Kind;
use crate::shard::moves::MoveOrder;
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

/// What is on a shard beside its connections and tables; nothing, on most.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// On the shard for federation, once it is to begin.
    pub(super) federation: OnceCell<Federation>,
    /// On the shard for another guest, once it is to begin.
    pub(super) other: OnceCell<Rc<dyn Guest>>,
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
    pub(super) fn accept(self, shard: ShardId, began: Instant) -> Rc<dyn Guest> {
        (self.0)(shard, began)
    }
}

impl Core {
    /// Federation, if it is here.
    pub(super) fn federation(&self) -> Option<&Federation> {
        self.guests.federation.get()
    }

    /// Stops exchanging routes when everything is about to leave for another process, and goes on when it is
    /// back.
    pub(super) fn heed(&self, order: &MoveOrder) {
        match (self.federation(), order) {
            (Some(federation), MoveOrder::Freeze { .. }) => federation.freeze(true),
            (Some(federation), MoveOrder::Thaw { .. }) => federation.freeze(false),
            _ => {}
        }
    }

    /// Whether everything that was received has been written out.
    pub(super) fn is_flushed(&self) -> bool {
        self.federation().is_none_or(Federation::is_flushed)
            && self.guests.other.get().is_none_or(|guest| guest.is_flushed())
            && self.shard.borrow().is_flushed()
    }

    /// Whether there is nothing to do, and nothing that time could change.
    pub(super) fn is_asleep(&self) -> bool {
        self.federation().is_none()
            && self.guests.other.get().is_none()
            && self.shard.borrow().is_asleep()
    }

    /// Begins to exchange routes with other sites, from what an earlier process had agreed with them.
    pub(super) fn federate(&self, config: &FederationConfig, link: &[Kind], roster: &Arc<Roster>) {
        let Self { id, hash_seeds, began, .. } = *self;
        if let Some(federation) = Federation::start(config, link, (id, hash_seeds), began, roster) {
            self.guests.federation.set(federation).ok();
        }
    }

    /// Shows federation, or another guest, what owners of VNIs have sent, if it is here.
    pub(super) fn show_guest(&self, now: Moment, parcel: &[Delivery]) {
        if let Some(federation) = self.federation() {
            federation.delivered(now, parcel);
        } else if let Some(guest) = self.guests.other.get() {
            guest.delivered(now, parcel);
        }
    }

    /// Lets it do what is due. Returns when it wants the next turn.
    pub(super) fn turn_of_guest(&self, now: Moment, shard: &mut Shard) -> Option<Moment> {
        match (self.federation(), self.guests.other.get()) {
            (Some(federation), _) => Some(federation.turn(now, shard)),
            (None, Some(guest)) => Some(guest.turn(now, shard)),
            (None, None) => None,
        }
    }

    /// Waits until a turn has something to see to; for ever, without one.
    pub(super) async fn guest_has_news(&self) {
        match (self.federation(), self.guests.other.get()) {
            (Some(federation), _) => federation.has_news().await,
            (None, Some(guest)) => guest.news().notified().await,
            (None, None) => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").finish_non_exhaustive()
    }
}
