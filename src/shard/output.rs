//! What a shard asks of the program around it, and tells it.

use std::collections::VecDeque;
use std::convert::Infallible;

use super::moves::Answer;
use crate::ids::{Moment, PeerId};
use crate::outbox::OutBuf;
use crate::session::{About, CloseReason, NoEvidence, Skipped};

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
