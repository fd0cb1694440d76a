//! Replaces federation in a program without it.

use std::time::Instant;

use std::sync::Arc;

use super::{FederationStatus, Roster};
use crate::config::FederationConfig;
use crate::ids::{Moment, ShardId};
use crate::portable::form::piece::Kind;
use crate::shard::{Delivery, Shard};

/// Never there.
#[derive(Debug)]
pub(crate) enum Federation {}

impl Federation {
    pub(crate) fn start(
        _: &FederationConfig,
        _: &[Kind],
        _: (ShardId, [u64; 4]),
        _: Instant,
        _: &Arc<Roster>,
    ) -> Option<Self> {
        None
    }

    pub(crate) fn delivered(&self, _: Moment, _: &[Delivery]) {
        match *self {}
    }

    pub(crate) fn turn(&self, _: Moment, _: &mut Shard) -> Moment {
        match *self {}
    }

    pub(crate) fn rests_until(&self, _: Moment) -> Option<Moment> {
        match *self {}
    }

    pub(crate) async fn has_news(&self) {
        match *self {}
    }

    pub(crate) fn is_flushed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn drain(&self, _: bool) {
        match *self {}
    }

    pub(crate) fn freeze(&self, _: bool) {
        match *self {}
    }

    pub(crate) fn export(&self) -> Vec<Kind> {
        match *self {}
    }

    pub(crate) fn status(&self) -> FederationStatus {
        match *self {}
    }
}
