//! What the tasks of a shard do about federation.

use std::sync::Arc;

use super::{Federation, Roster};
use crate::config::FederationConfig;
use crate::portable::form::piece::Kind;
use crate::reflector::driver::Core;
use crate::shard::moves::MoveOrder;

impl Core {
    /// Federation, if it is here.
    pub(in crate::reflector) fn federation(&self) -> Option<&Federation> {
        self.guests.federation.get()
    }

    /// Stops exchanging routes when everything is about to leave for another process, and goes on when it is
    /// back.
    pub(in crate::reflector) fn heed(&self, order: &MoveOrder) {
        match (self.federation(), order) {
            (Some(federation), MoveOrder::Freeze { .. }) => federation.freeze(true),
            (Some(federation), MoveOrder::Thaw { .. }) => federation.freeze(false),
            _ => {}
        }
    }

    /// Whether everything that was received has been written out.
    pub(in crate::reflector) fn is_flushed(&self) -> bool {
        self.federation().is_none_or(Federation::is_flushed)
            && self.guests.other.get().is_none_or(|guest| guest.is_flushed())
            && self.shard.borrow().is_flushed()
    }

    /// Whether there is nothing to do, and nothing that time could change.
    pub(in crate::reflector) fn is_asleep(&self) -> bool {
        self.federation().is_none()
            && self.guests.other.get().is_none()
            && self.shard.borrow().is_asleep()
    }

    /// Begins to exchange routes with other sites, from what an earlier process had agreed with them.
    pub(in crate::reflector) fn federate(
        &self,
        config: &FederationConfig,
        link: &[Kind],
        roster: &Arc<Roster>,
    ) {
        let Self { id, hash_seeds, began, .. } = *self;
        if let Some(federation) = Federation::start(config, link, (id, hash_seeds), began, roster) {
            self.guests.federation.set(federation).ok();
        }
    }
}
