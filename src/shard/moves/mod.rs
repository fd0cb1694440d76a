//! How VNIs and connections move from one shard to another.
//!
//! One move runs at a time: of a set of [partitions](super::placement) with the same source and target, or of one
//! connection. The [`Coordinator`] sends [`MoveOrder`]s to shards and gets their [`Answer`]s. Both protocols were
//! checked with a random model, which has a counterexample for each rule that is left out.
//!
//! **Partitions move from A to B.**
//!
//! 1. [`MoveOrder::Reassign`] goes to every shard. Each shard sends A a [`Fence`](super::Request::Fence) in its request
//!    lane, behind everything that it has sent there, and from then on *holds* its peers' requests for these VNIs. It
//!    does not read peers of which it holds many requests.
//! 2. A serves the VNIs until it has all fences. Then it seals their tables, sends the last deliveries, and behind them
//!    a [`Fence`](super::Delivery::Fence) in each delivery lane. From then on it changes nothing in these tables. When
//!    every shard has confirmed that it has taken everything in, A answers with the tables.
//! 3. [`MoveOrder::Take`] gives the tables to B. When B has them, [`MoveOrder::Release`] lets every shard send the
//!    requests that it holds to B.
//!
//! Until A has answered, [`MoveOrder::GiveUp`] ends the move without waiting for any shard: A puts the tables back, and
//! all shards send the held requests to A. That is for a shard that stands still during a move.
//!
//! **A connection moves from A to B.**
//!
//! 1. A stops reading it and sends a [`Relocate`](super::Request::Relocate) to every shard, in the peer's own queue: a
//!    request that waits there must not be overtaken by a request through B. From then on A asks for nothing on behalf
//!    of the peer. If an owner has many of the peer's VNIs, it gets several, each about some of them, and serves other
//!    peers in between.
//! 2. Each owner sends the batches that it has sealed, notes B as the peer's shard, and makes each subscription that
//!    was in sync a cursor at the last sealed batch. It reports this behind everything that it has sent to A before.
//! 3. A removes from the peer's outbox the batches of these VNIs that it has not begun to send. The first of each VNI
//!    travels with the connection: it keeps the journal from forgetting the position at which the cursor must begin.
//! 4. When all owners have reported on all VNIs, the connection goes to B, with the rest of the write that A had begun. B tells the
//!    owners of the batches that travelled before it asks for anything, and from here on reads the socket.
//!
//! Until the connection has left, [`MoveOrder::Stay`] ends the move: A sends a second `Relocate`, to itself.
//!
//! An owner also sends deliveries without a request: the policy refuses a route, a stale route is gone, the peer is too
//! far behind. From step 2 on the owner keeps all deliveries for the peer, so no shard gets a delivery while it lacks
//! the connection. Earlier deliveries reach A before the owner's last report. B's first request for the peer is a
//! [`Settle`](super::Request::Settle) to every shard, and each owner then sends the kept deliveries to B. If the
//! connection stays, the last part of the second `Relocate` has the same effect. If the session ends on A during the
//! move, A sends `Settle`, because an owner may have only a part of the first `Relocate`.

mod coordinator;
mod handover;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::coordinator::{Coordinator, MoveCommand};
pub(crate) use self::handover::Handover;
use super::message::Request;
use super::placement::Partitions;
use super::tables::leaving::Tenants;
use crate::ids::{Kin, PeerId, ShardId};
use crate::wire::Vni;

/// An order to a shard.
#[derive(Debug)]
pub(crate) enum MoveOrder {
    /// Partitions belong to another shard from this epoch on.
    Reassign { partitions: Arc<Partitions>, from: ShardId, to: ShardId, epoch: u64 },
    /// Give up the move of this epoch, if its tables have not left: answer by [`Answer::GivenUp`].
    GiveUp { epoch: u64 },
    /// The move of this epoch has been given up: send the held requests to the former owner.
    Restore { epoch: u64 },
    /// Own these tables: answer by [`Answer::Taken`].
    Take { epoch: u64, tables: Tenants },
    /// The tables of this epoch have arrived: send the held requests to their new owner.
    Release { epoch: u64 },
    /// Prepare a connection for another shard.
    Relocate { peer: PeerId, to: ShardId, number: u64 },
    /// Prepare all connections for another process: answer by [`Answer::Frozen`].
    Freeze { number: u64 },
    /// Serve all connections again.
    Thaw { number: u64 },
    /// Hold requests about all VNIs, and let all tables leave: answer by [`Answer::Left`].
    Seal { epoch: u64 },
    /// Let all connections leave: answer by [`Answer::Parts`].
    Part { number: u64 },
    /// Keep a connection, if it has not left: answer by [`Answer::Stays`].
    Stay { peer: PeerId, number: u64 },
}

/// What a shard has done for a move. `P` is a connection on its way, with all that belongs to it.
#[derive(Debug)]
pub(crate) enum Answer<P> {
    /// These tables have left.
    Left { epoch: u64, tables: Tenants },
    /// No connection is read or sent anything from now on.
    Frozen { number: u64 },
    /// This number of connections leave now: [`Answer::Moves`] or [`Answer::Gone`] follows for each. `holds` are of
    /// sessions that have ended since tables left.
    Parts { number: u64, connections: usize, holds: Vec<LateHold> },
    /// The tables have arrived.
    Taken { epoch: u64 },
    /// The move was given up in time, or it was too late for that.
    GivenUp { epoch: u64, in_time: bool },
    /// This connection has left.
    Moves { connection: P },
    /// The connection has arrived.
    Arrived { number: u64 },
    /// The session of the connection ended before it could leave. `holds` are of this session, if all tables have left.
    Gone { number: u64, holds: Vec<LateHold> },
    /// The connection was kept in time, or it was too late for that.
    Stays { number: u64, in_time: bool },
}

/// A [`Request::Hold`] that no table gets before another process has it: the session ended while tables were away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LateHold {
    pub(super) peer: PeerId,
    pub(super) vni: Vni,
    pub(super) kin: Kin,
    pub(super) time: Duration,
}

impl LateHold {
    /// What a request asks to hold, if it does.
    pub(super) fn of(request: &Request) -> Option<Self> {
        match *request {
            Request::Hold { peer, vni, kin, time } => Some(Self { peer, vni, kin, time }),
            _ => None,
        }
    }
}

impl<P> Answer<P> {
    /// The number of the move or handover that the answer belongs to, if it has one.
    pub(super) fn number(&self) -> Option<u64> {
        match *self {
            Self::Moves { .. } => None,
            Self::Left { epoch: number, .. }
            | Self::Taken { epoch: number }
            | Self::GivenUp { epoch: number, .. }
            | Self::Frozen { number }
            | Self::Parts { number, .. }
            | Self::Arrived { number }
            | Self::Gone { number, .. }
            | Self::Stays { number, .. } => Some(number),
        }
    }

    /// The name of the answer, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Left { .. } => "tables left",
            Self::Frozen { .. } => "frozen",
            Self::Parts { .. } => "connections part",
            Self::Taken { .. } => "tables taken",
            Self::GivenUp { .. } => "given up",
            Self::Moves { .. } => "connection left",
            Self::Arrived { .. } => "connection arrived",
            Self::Gone { .. } => "connection gone",
            Self::Stays { .. } => "connection stays",
        }
    }
}

impl Answer<Infallible> {
    /// The same answer, as one of the type that can carry connections.
    pub(crate) fn widen<P>(self) -> Answer<P> {
        match self {
            Self::Left { epoch, tables } => Answer::Left { epoch, tables },
            Self::Frozen { number } => Answer::Frozen { number },
            Self::Parts { number, connections, holds } => {
                Answer::Parts { number, connections, holds }
            }
            Self::Taken { epoch } => Answer::Taken { epoch },
            Self::GivenUp { epoch, in_time } => Answer::GivenUp { epoch, in_time },
            Self::Moves { connection } => match connection {},
            Self::Arrived { number } => Answer::Arrived { number },
            Self::Gone { number, holds } => Answer::Gone { number, holds },
            Self::Stays { number, in_time } => Answer::Stays { number, in_time },
        }
    }
}
