//! Everything that crosses from one shard to another.
//!
//! Each shard has two bounded channels that all others send into, one a [`Request`] lane towards the
//! owner of a VNI, one a [`Delivery`] lane from it. A shard collects messages during a loop turn and sends
//! each lane's as one parcel, with one wake. A full channel leaves the parcel with its sender.
//!
//! Two lanes, because they may wait for different things and so can't wait for each other:
//!
//! * Deliveries are always taken in: that only moves references into outboxes, whose bounds turn
//!   into cursors instead of waiting. So a delivery lane always drains.
//! * Requests are taken in only while the taker's own delivery lanes have room. A full request
//!   lane stops the sender from *reading its publishers' sockets*, and TCP slows them down.
//!
//! Order: within a lane, as sent. Nothing relies on an order between lanes.

use std::sync::Arc;

use crate::ids::{Moment, PeerId};
use crate::table::{Announcement, Audience, Batch, Chunk, Origin};
use crate::wire::Vni;

/// From the shard where a peer's connection lives to the owner of a VNI.
///
/// When the lane is full, messages stay with the sender, in order; past `request_room` the
/// sender reads no further from the peers that caused them.
#[derive(Debug)]
pub(crate) enum Request {
    /// A peer announces or withdraws. Updates of a peer for a VNI that come close together are one
    /// message. `received` is when the first was.
    Updates { origin: Origin, vni: Vni, updates: Vec<Announcement>, received: Moment },
    /// A peer subscribes. It gets nothing before its first [`Request::Pull`].
    Subscribe { origin: Origin, vni: Vni, received: Moment },
    /// A peer unsubscribed or is gone: its subscription and its routes in that VNI end.
    Leave { peer: PeerId, vni: Vni },
    /// A peer that says it takes part in a VNI no more: answered by [`Delivery::Forgotten`] if so.
    /// `version` comes back with the answer.
    Forget { origin: Origin, vni: Vni, version: u32 },
    /// A subscriber could not take `from` or anything after it.
    FellBehind { peer: PeerId, vni: Vni, from: Arc<Batch> },
    /// A subscriber that is behind has room for a chunk. At most
    /// [`PULLS_MAX`](super::peer::PULLS_MAX) are under way for one peer.
    Pull { peer: PeerId, vni: Vni, subscription: u32 },
}

impl Request {
    /// Whom it is of, if it is of no use once that session has ended: the end asks to withdraw it anyway.
    pub(crate) fn moot_without(&self) -> Option<PeerId> {
        match self {
            Self::Updates { origin, .. } | Self::Subscribe { origin, .. } => Some(origin.peer),
            _ => None,
        }
    }

    /// What it counts for against `request_room`.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Updates { updates, .. } => updates.len(),
            _ => 1,
        }
    }
}

/// From the owner of a VNI to a shard where subscribers' connections live.
///
/// When the lane is full, messages stay with the owner, in order; past `delivery_room` the owner
/// takes in no further requests and reads no further from its own peers.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// For every subscriber there that is in sync.
    Batch { audience: Audience, batch: Arc<Batch> },
    /// Answers one [`Request::Pull`].
    Chunk { peer: PeerId, vni: Vni, subscription: u32, chunk: Chunk },
    /// A peer announces so many routes more (or fewer) than before, and `routes` in that VNI now.
    Announced { peer: PeerId, vni: Vni, change: i64, routes: u32 },
    /// A peer neither announces nor subscribes in a VNI, as of its [`Request::Forget`].
    Forgotten { peer: PeerId, vni: Vni, version: u32 },
    /// What the peer lacks can't be derived any more: close it.
    TooFarBehind { peer: PeerId },
}

/// Parcels on their way from one shard to another in one lane.
pub(crate) const PARCELS: usize = 16;
/// The request cost on its way from one shard to another, and what the last parcel adds. Little: it waits
/// at the owner in the order in which it came, whoever of the sender's peers caused it.
pub(crate) const REQUESTS_UNDER_WAY: usize = 4096;

/// What waits to be sent to one other shard.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) requests: Vec<Request>,
    pub(crate) request_cost: usize,
    /// Whether requests of sessions that have ended may be among them.
    pub(crate) has_moot: bool,
    pub(crate) deliveries: Vec<Delivery>,
}
