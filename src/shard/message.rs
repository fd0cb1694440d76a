//! The two kinds of message between connections and tables, whether they are on one shard or on two.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{Kin, Moment, PeerId, ShardId};
use crate::policy::{Example, Refusal};
use crate::table::{Announcement, Audience, Batch, Chunk, LimitHits, Origin};
use crate::wire::Vni;

/// From the shard where a peer's connection lives to the owner of a VNI.
///
/// Requests of one peer are served in the order in which they were made. A peer whose requests wait
/// is not read.
#[derive(Debug)]
pub(crate) enum Request {
    /// A peer announces or withdraws. Updates of a peer for a VNI that come close together are one
    /// message. `received` is the time of the first of them.
    /// `room` is how many routes the peer may announce in the VNI.
    Updates { origin: Origin, vni: Vni, updates: Vec<Announcement>, room: i64, received: Moment },
    /// A peer subscribes. It gets nothing before its first [`Request::Pull`]. `is_retry`: its VNI had no room before,
    /// and that refusal has been counted.
    Subscribe { origin: Origin, vni: Vni, received: Moment, is_retry: bool },
    /// Policies judge a peer by other rights from now on.
    Classify { origin: Origin, vni: Vni },
    /// A peer takes part in a VNI for the first time: if its kin is gone and the kin's routes are kept, they belong to
    /// the peer from now on. Goes before all its other requests for the VNI.
    Adopt { origin: Origin, vni: Vni, kin: Kin },
    /// A peer's session ended without notice: its subscription ends, and its routes stay for this time from now on.
    Hold { peer: PeerId, vni: Vni, kin: Kin, time: Duration },
    /// A peer unsubscribed or is gone: its subscription and its routes in that VNI end.
    Leave { peer: PeerId, vni: Vni },
    /// A peer may take part in a VNI no more: answered by [`Delivery::Forgotten`] if so.
    /// `version` comes back with the answer.
    Forget { origin: Origin, vni: Vni, version: u32 },
    /// Answered by [`Delivery::Marked`] once all earlier requests of the peer have been served. Peers take
    /// turns, so the answer says nothing about the requests of other peers.
    #[cfg_attr(
        not(any(test, fuzzing, feature = "federation")),
        expect(dead_code, reason = "nobody asks")
    )]
    Mark { origin: Origin, vni: Vni, number: u64 },
    /// A subscriber could not take `from` or anything after it.
    FellBehind { peer: PeerId, vni: Vni, from: Arc<Batch> },
    /// A subscriber that is behind has room for a chunk. At most
    /// [`PULLS_MAX`](super::connections::PULLS_MAX) are under way for one peer.
    Pull { peer: PeerId, shard: ShardId, vni: Vni, subscription: u32 },
    /// The peer's connection is about to move to another shard: its subscriptions in these VNIs go on behind the last
    /// sealed batch. A request has few VNIs, so a peer with many sends several; each is answered by
    /// [`Delivery::Relocated`]. `is_last`: no other to this owner follows for this move.
    Relocate { origin: Origin, to: ShardId, vnis: Vec<Vni>, number: u64, is_last: bool },
    /// The move of a peer's connection is over: the connection is on this shard, or the session has ended there. The
    /// owner now sends the deliveries that it kept for the peer during the move. If the connection stays where it was,
    /// its shard sends a second [`Request::Relocate`] instead, which names that shard.
    Settle { peer: PeerId, at: ShardId },
    /// This shard sends nothing more for the partitions that move in this epoch.
    Fence { epoch: u64 },
    /// The sender has taken in every delivery of the tables that move in this epoch.
    Confirm { epoch: u64 },
}

impl Request {
    /// The peer of the request, if it is a peer's.
    pub(crate) fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Updates { origin, .. }
            | Self::Subscribe { origin, .. }
            | Self::Classify { origin, .. }
            | Self::Adopt { origin, .. }
            | Self::Forget { origin, .. }
            | Self::Mark { origin, .. }
            | Self::Relocate { origin, .. } => Some(origin.peer),
            Self::Leave { peer, .. }
            | Self::Hold { peer, .. }
            | Self::FellBehind { peer, .. }
            | Self::Settle { peer, .. }
            | Self::Pull { peer, .. } => Some(*peer),
            Self::Fence { .. } | Self::Confirm { .. } => None,
        }
    }

    /// The VNI of the request, if it is about one VNI.
    pub(crate) fn vni(&self) -> Option<Vni> {
        match self {
            Self::Updates { vni, .. }
            | Self::Subscribe { vni, .. }
            | Self::Classify { vni, .. }
            | Self::Adopt { vni, .. }
            | Self::Leave { vni, .. }
            | Self::Hold { vni, .. }
            | Self::Forget { vni, .. }
            | Self::Mark { vni, .. }
            | Self::FellBehind { vni, .. }
            | Self::Pull { vni, .. } => Some(*vni),
            Self::Relocate { .. }
            | Self::Settle { .. }
            | Self::Fence { .. }
            | Self::Confirm { .. } => None,
        }
    }

    /// Whether it is useless once its peer's session has ended. As a rule the end withdraws the routes that it would
    /// announce. If the peer's routes stay for a time (`is_held`), they are those that the peer has announced and not
    /// withdrawn. A request that ends a move is never useless: the owner keeps deliveries for the peer.
    pub(crate) fn is_moot(&self, is_held: bool) -> bool {
        match self {
            Self::Leave { .. } | Self::Hold { .. } | Self::Settle { .. } => false,
            Self::Relocate { origin, to, is_last, .. } => *to != origin.shard || !is_last,
            Self::Updates { .. } | Self::Classify { .. } | Self::Adopt { .. } => !is_held,
            _ => true,
        }
    }

    /// Whether it puts its peer among the first.
    pub(crate) fn comes_first(&self) -> bool {
        matches!(self, Self::Leave { .. } | Self::Hold { .. } | Self::Subscribe { .. })
    }

    /// The cost of the request while it waits, in updates.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Updates { updates, .. } => updates.len(),
            Self::Relocate { vnis, .. } => vnis.len().max(1),
            _ => 1,
        }
    }
}

/// From the owner of a VNI to a shard where subscribers' connections live.
///
/// Deliveries of one owner arrive in the order in which it made them. While more than `delivery_room`
/// wait for a shard, the owner serves no requests.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A batch for every subscriber on that shard that is in sync.
    Batch { audience: Audience, batch: Arc<Batch> },
    /// Answers one [`Request::Pull`].
    Chunk { peer: PeerId, vni: Vni, subscription: u32, chunk: Chunk },
    /// The effects of a peer's updates, for its counts.
    Announced { peer: PeerId, counted: Counted },
    /// The policy refuses, or reports, an announcement: the first of the peer in that VNI for this reason.
    Refused { peer: PeerId, vni: Vni, refusal: Refusal, example: Example },
    /// Answers a [`Request::Pull`] of a subscription that the owner does not have: there was no room for the VNI.
    Unserved { peer: PeerId, vni: Vni, subscription: u32 },
    /// A peer neither announces nor subscribes in a VNI, as of its [`Request::Forget`].
    Forgotten { peer: PeerId, vni: Vni, version: u32 },
    /// Answers a [`Request::Mark`].
    #[cfg_attr(
        not(any(test, fuzzing, feature = "federation")),
        expect(dead_code, reason = "nobody asks")
    )]
    Marked { peer: PeerId, vni: Vni, number: u64 },
    /// To the shard for a guest: whether clients subscribe to that VNI; and for a proxy, whether clients take part
    /// in it, as subscribers or as announcers.
    Wanted { vni: Vni, is_wanted: bool, is_used: bool },
    /// The changes that the peer lacks can't be derived any more: close its session.
    TooFarBehind { peer: PeerId, vni: Vni },
    /// Answers a [`Request::Relocate`]: the peer is behind in these VNIs from now on. After the last answer of an owner
    /// nothing more comes from it for the peer.
    Relocated { peer: PeerId, owner: ShardId, vnis: Vec<Vni>, number: u64, is_last: bool },
    /// The owner sends nothing more for the tables that move in this epoch: answer by [`Request::Confirm`].
    Fence { owner: ShardId, epoch: u64 },
}

impl Delivery {
    /// The peer that must get it, wherever its connection goes. Batches are for all peers of a shard, and the answer to
    /// a [`Request::Relocate`] goes to the shard that asks.
    pub(super) fn follows(&self) -> Option<PeerId> {
        match self {
            Self::Chunk { peer, .. }
            | Self::Announced { peer, .. }
            | Self::Refused { peer, .. }
            | Self::Unserved { peer, .. }
            | Self::Forgotten { peer, .. }
            | Self::Marked { peer, .. }
            | Self::TooFarBehind { peer, .. } => Some(*peer),
            Self::Batch { .. }
            | Self::Wanted { .. }
            | Self::Relocated { .. }
            | Self::Fence { .. } => None,
        }
    }
}

/// The effects of a peer's updates in a VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counted {
    pub(crate) vni: Vni,
    /// How many more routes it announces there than before; below 0: how many fewer.
    pub(crate) change: i64,
    /// The number of routes that it announces there now.
    pub(crate) routes: u32,
    /// The number of updates that changed its routes.
    pub(crate) accepted: u32,
    /// Announcements that were refused.
    pub(crate) hits: LimitHits,
}

impl Counted {
    /// A change of the number of routes without updates of the peer; `routes` is the new number.
    pub(crate) fn change(vni: Vni, change: i64, routes: u32) -> Self {
        Self { vni, change, routes, accepted: 0, hits: LimitHits::default() }
    }
}
