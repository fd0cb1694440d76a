//! The work of a shard's thread for a guest: federation, or another.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::driver::Core;
use crate::config::FederationConfig;
use crate::federation::{Federation, Roster};
use crate::ids::Moment;
use crate::portable::form::piece::Kind;
use crate::shard::moves::MoveOrder;
use crate::shard::{Delivery, Shard};
use crate::threads::Guest;

/// The guests of a shard, beside its connections and tables; most shards have none.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// The federation, on the shard for it, once it is to begin.
    pub(super) federation: OnceCell<Federation>,
    /// Another guest, on the shard for it, once it is to begin.
    pub(super) other: OnceCell<Rc<dyn Guest>>,
}

impl Core {
    /// The federation, if it is on this shard.
    pub(super) fn federation(&self) -> Option<&Federation> {
        self.guests.federation.get()
    }

    /// Stops exchanging routes when all tables and connections are about to leave for another process, and goes on when
    /// they are back.
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

    /// Whether there is nothing to do, and time can change nothing.
    pub(super) fn is_asleep(&self) -> bool {
        self.federation().is_none()
            && self.guests.other.get().is_none()
            && self.shard.borrow().is_asleep()
    }

    /// Begins to exchange routes with other sites, going on from an earlier process's agreement with them.
    pub(super) fn federate(&self, config: &FederationConfig, link: &[Kind], roster: &Arc<Roster>) {
        let Self { id, hash_seeds, began, .. } = *self;
        if let Some(federation) = Federation::start(config, link, (id, hash_seeds), began, roster) {
            self.guests.federation.set(federation).ok();
        }
    }

    /// Shows deliveries of owners of VNIs to federation, or to another guest, if one is on this shard.
    pub(super) fn show_guest(&self, now: Moment, parcel: &[Delivery]) {
        if let Some(federation) = self.federation() {
            federation.delivered(now, parcel);
        } else if let Some(guest) = self.guests.other.get() {
            guest.delivered(now, parcel);
        }
    }

    /// Lets the guest do the work that is due. Returns when it wants the next turn.
    pub(super) fn turn_of_guest(&self, now: Moment, shard: &mut Shard) -> Option<Moment> {
        match (self.federation(), self.guests.other.get()) {
            (Some(federation), _) => Some(federation.turn(now, shard)),
            (None, Some(guest)) => Some(guest.turn(now, shard)),
            (None, None) => None,
        }
    }

    /// Waits until the guest has news; for ever, without a guest.
    pub(super) async fn guest_has_news(&self) {
        match (self.federation(), self.guests.other.get()) {
            (Some(federation), _) => federation.has_news().await,
            (None, Some(guest)) => guest.news().notified().await,
            (None, None) => std::future::pending().await,
        }
    }
}
