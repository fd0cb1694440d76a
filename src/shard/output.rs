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
    /// Whether its HELLO had come: before the HELLO there is only a connection, and no session.
    pub(crate) had_begun: bool,
    /// Whether it was established.
    pub(crate) was_established: bool,
    pub(crate) counts: Box<LastCounts>,
}

/// The last counts of a session.
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

/// A refusal of the policy, or a warning of it: the first of a peer's session for this reason.
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

/// A peer is near its limit on routes, or has reached it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearLimit {
    pub(crate) node: Box<str>,
    pub(crate) routes: u64,
    pub(crate) most: u64,
    pub(crate) level: Level,
    pub(crate) action: LimitAction,
}

/// A VNI is near its limit on routes, or has reached it.
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
    /// A peer's socket should not wake the driver for less than [`LOW_WATER`](crate::session::LOW_WATER) bytes
    /// (`true`), or should wake it again for every byte.
    Hold(Slot, bool),
    /// A peer's reading may go on.
    Resumed(Slot),
    /// The HELLO of a connection has come: it is a session now.
    Begun(Slot),
    /// A session has become established. With the facts that its peer said about itself.
    Established(Slot, PeerId, Box<About>),
    /// A message was skipped: the first of its session for this reason. With the peer's node.
    Skipped(Slot, PeerId, Box<str>, Skipped),
    /// The reflector began to pace a peer by the clock, for this reason. With the peer's node.
    Unproven(Slot, PeerId, Box<str>, NoEvidence),
    /// The policy refuses a request of a peer, or allows it with a warning.
    Refused(Slot, Box<Refused>),
    /// A peer is near its limit on routes, or has reached it.
    NearLimit(Slot, PeerId, Box<NearLimit>),
    /// A VNI is near its limit on routes, or has reached it.
    VniNotice(VniNotice),
    /// A session has ended.
    Closed(Closed),
    /// A connection is ready to leave for another shard: end the write in flight, and take it out by
    /// [`Shard::leave`](super::Shard::leave).
    Leaves(Slot),
    /// Pass this answer to the coordinator.
    Answer(Answer<Infallible>),
}

/// The next step for a peer's socket.
#[derive(Debug)]
pub(crate) enum Write {
    /// One write; `record` asks for a segment of its own (MSG_EOR).
    Bytes {
        bytes: OutBuf,
        record: bool,
    },
    /// Write nothing before this moment.
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
