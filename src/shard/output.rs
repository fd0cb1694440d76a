//! What a shard asks of the program around it, and tells it.

use std::collections::VecDeque;
use std::convert::Infallible;

use super::config::LimitAction;
use super::moves::Answer;
use crate::ids::{Level, Moment, PeerId};
use crate::metrics::ByAction;
use crate::outbox::OutBuf;
use crate::policy::{Example, Refusal, Rights};
use crate::session::{About, CloseReason, NoEvidence, Skipped};
use crate::wire::Vni;

use super::connections::slot::Slot;

/// A session that has ended.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) slot: Slot,
    pub(crate) peer: PeerId,
    pub(crate) reason: CloseReason,
    pub(crate) node: Box<str>,
    /// Whether it was one: before the HELLO there is only a connection.
    pub(crate) had_begun: bool,
    /// Whether it was established.
    pub(crate) was_established: bool,
    pub(crate) counts: Box<LastCounts>,
}

/// What a session came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastCounts {
    /// When its connection was accepted, and when its handshake was complete.
    pub(crate) accepted: Moment,
    pub(crate) established: Option<Moment>,
    pub(crate) routes: u64,
    pub(crate) subscriptions: u64,
    pub(crate) updates_received: u64,
    pub(crate) updates_sent: ByAction,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
}

/// What a policy refuses of a peer, or reports: the first of its session for this reason.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) peer: PeerId,
    pub(crate) node: Box<str>,
    pub(crate) rights: Rights,
    pub(crate) refusal: Refusal,
    /// The VNI, if it is about one.
    pub(crate) vni: Option<Vni>,
    /// The route, if it is about one.
    pub(crate) example: Option<Example>,
}

/// A peer has come near its limit on routes, or to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearLimit {
    pub(crate) node: Box<str>,
    pub(crate) routes: u64,
    pub(crate) most: u64,
    pub(crate) level: Level,
    pub(crate) action: LimitAction,
}

/// A VNI has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VniNotice {
    pub(crate) vni: Vni,
    pub(crate) routes: u64,
    pub(crate) most: u64,
    pub(crate) level: Level,
    pub(crate) action: LimitAction,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) enum Output {
    /// A peer has something to write and no write in flight: ask [`Shard::next_write`](super::Shard::next_write).
    Ready(Slot),
    /// A peer's socket should wake nobody for less than [`LOW_WATER`](crate::session::LOW_WATER) bytes
    /// (`true`), or that is over.
    Hold(Slot, bool),
    /// A peer's reading may go on.
    Resumed(Slot),
    /// The HELLO of a connection has come: it is a session now.
    Begun(Slot),
    /// A session has become established, and what its peer said of itself.
    Established(Slot, PeerId, Box<About>),
    /// A message was skipped: the first of its session for this reason. With the peer's node.
    Skipped(Slot, PeerId, Box<str>, Skipped),
    /// A peer began to be paced by the clock, and why. With its node.
    Unproven(Slot, PeerId, Box<str>, NoEvidence),
    /// The policy refuses something.
    Refused(Slot, Box<Refused>),
    /// A peer has come near its limit on routes, or to it.
    NearLimit(Slot, PeerId, Box<NearLimit>),
    /// A VNI has.
    VniNotice(VniNotice),
    /// A session has ended.
    Closed(Closed),
    /// A connection is ready to leave for another shard: end the write in flight, and take it out by
    /// [`Shard::leave`](super::Shard::leave).
    Leaves(Slot),
    /// Tell this to the coordinator.
    Answer(Answer<Infallible>),
}

/// What a peer's socket should be given.
#[derive(Debug)]
pub(crate) enum Write {
    /// One write; `record` asks for a segment of its own (MSG_EOR).
    Bytes {
        bytes: OutBuf,
        record: bool,
    },
    /// Nothing before this moment.
    WaitUntil(Moment),
    Nothing,
}

/// Outputs that wait to be taken, in the order in which they came up.
#[derive(Debug, Default)]
pub(super) struct Outputs(VecDeque<Output>);

impl Outputs {
    pub(super) fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
