//! [`Inspector`]: what operators' surfaces ask of a running reflector, and what they tell it.
//!
//! Runs on the asker's thread. It asks shards for one bounded slice at a time, and puts together
//! what several of them know.

mod tap;

use std::num::NonZeroU32;
use std::sync::Arc;

use thiserror::Error;

pub use tap::{Tap, TapEvent, TapFilter};

use crate::ids::{PeerId, ShardId};
use crate::shard::inspect::{
    Cursor, Explanation, Lookup, Metrics, Page, PeerDetail, PeerInfo, RouteFilter, RouteInfo,
    SubscriptionInfo, VniInfo,
};
use crate::wire::{Destination, NextHop, Vni};

/// Rows of one page at most, whatever was asked for.
pub const PAGE_MAX: usize = 10_000;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The reflector has stopped, or is about to.
    #[error("the reflector has stopped")]
    Stopped,
}

/// Counters, once per shard and added up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// All shards together.
    pub total: Metrics,
    /// Each shard, in order.
    pub shards: Vec<Metrics>,
    /// Connections refused because there were `max_peers` already, or while draining.
    pub refused: u64,
}

#[derive(Debug, Default)]
struct Shared {}

/// Looks into a running reflector and tells it what to do. Cheap to clone, usable from any thread
/// and any async runtime.
///
/// Asking costs the data path nothing that can be seen: a shard answers one bounded slice (a few
/// hundred rows, about 100 us) between two turns of its loop, and keeps nothing for the asker.
/// Pages are put together from slices on the asker's side. An answer that needs several slices or
/// shards is not a snapshot of one moment.
///
/// All methods fail with [`InspectError::Stopped`] once the reflector has stopped. Dropping a
/// future that has not finished does no harm.
#[derive(Clone, Debug)]
pub struct Inspector {
    #[expect(dead_code)]
    shared: Arc<Shared>,
}

impl Inspector {
    pub(super) fn new() -> Self {
        Self { shared: Arc::new(Shared::default()) }
    }

    /// Counters and histograms. Cost: a copy per shard.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn counters(&self) -> Result<Counters, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Sessions in the order of their places. At most `limit` of them, or [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peers(
        &self,
        _from: Cursor,
        _limit: usize,
    ) -> Result<Page<PeerInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// One session with its part in every VNI; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn peer(&self, _id: PeerId) -> Result<Option<PeerDetail>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Sessions that a text names: by id (`7` or `#7`), by node, by remote address or by remote
    /// address and port. Cost: a number, one question per shard; else, a look at every session.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn find_peer(&self, _text: &str) -> Result<Vec<PeerInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// VNIs in the order of their places. At most `limit` of them, or [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn vnis(&self, _from: Cursor, _limit: usize) -> Result<Page<VniInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// One VNI; `None` when nobody takes part in it.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn vni(&self, _vni: Vni) -> Result<Option<VniInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Routes of a VNI in the order of their places. At most `limit` of them, or [`PAGE_MAX`].
    /// A page may have fewer rows, even none, and yet a `next`: a filter that leaves out nearly
    /// everything would otherwise make one call as long as the table.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn routes(
        &self,
        _vni: Vni,
        _filter: RouteFilter,
        _from: Cursor,
        _limit: usize,
    ) -> Result<Page<RouteInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// The routes of the longest prefix around an address, or of one prefix; at most 256. Cost: one
    /// question; a probe per prefix length.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn lookup(&self, _vni: Vni, _what: Lookup) -> Result<Vec<RouteInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Why a peer has the routes of a destination or lacks them; with a next hop, about that route
    /// alone. Cost: two questions.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn explain(
        &self,
        _peer: PeerId,
        _vni: Vni,
        _destination: Destination,
        _next_hop: Option<NextHop>,
    ) -> Result<Explanation, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Subscriptions, of one VNI or of all, in the order of their places. At most `limit` of them,
    /// or [`PAGE_MAX`]. Those of one peer are in [`Inspector::peer`].
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn subscriptions(
        &self,
        _vni: Option<Vni>,
        _from: Cursor,
        _limit: usize,
    ) -> Result<Page<SubscriptionInfo>, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Ends a session ([`CloseReason::Reset`](crate::CloseReason::Reset)); the peer may come back
    /// at once. `false` when there is none of that name.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn close_peer(&self, _id: PeerId) -> Result<bool, InspectError> {
        Err(InspectError::Stopped)
    }

    /// Takes no new sessions and ends so many of the existing ones per second
    /// ([`CloseReason::Draining`](crate::CloseReason::Draining)), until [`Inspector::undrain`].
    /// Called again it changes the rate. Returns at once.
    pub fn drain(&self, _per_second: NonZeroU32) {}

    /// Takes sessions again, and ends no more.
    pub fn undrain(&self) {}

    /// Whether it is draining.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        false
    }

    /// Whether new sessions are taken: it listens, and is neither draining nor stopping.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        false
    }

    /// Shards that have not turned their loops for 2 s. Cost: a look at a number per shard; no
    /// shard is asked.
    #[must_use]
    pub fn stuck(&self) -> Vec<ShardId> {
        Vec::new()
    }

    /// Begins to watch what happens. It ends when the [`Tap`] is dropped.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn tap(&self, _filter: TapFilter) -> Result<Tap, InspectError> {
        Err(InspectError::Stopped)
    }
}
