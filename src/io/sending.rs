//! A write that takes as many operations as the kernel needs to take its bytes.
//!
//! Owns the buffer, and the operation on the ring while one is in flight, so that whoever sends keeps
//! one value from the first attempt to the last. Moved on by [`Stream::poll_send`](super::Stream::poll_send).
//! Allocates nothing.

use super::OutBuf;
use super::operation::Operation;

/// A write in progress: the buffer, and the number of its bytes that the kernel has taken.
/// [`Stream::poll_send`](super::Stream::poll_send) continues it, with as many operations as the kernel needs.
#[derive(Debug)]
pub struct Sending {
    pub(super) state: SendingState,
    /// Bytes that the kernel has taken.
    pub(super) from: usize,
    /// Whether no later byte shares a segment with the last of these.
    pub(super) eor: bool,
}

/// The holder of the buffer.
#[derive(Debug)]
#[cfg_attr(not(metalbond_uring), expect(dead_code, reason = "a system call keeps no buffer"))]
pub(super) enum SendingState {
    Here(OutBuf),
    InFlight(Operation),
    /// Only while one of the other states becomes the other.
    Changing,
}

impl Sending {
    /// A write of `buffer[from..]`.
    ///
    /// With `eor`, no later byte shares a TCP segment with the last of these bytes, if the kernel takes them all at
    /// once (`MSG_EOR`, Linux).
    #[must_use]
    pub fn new(buffer: OutBuf, from: usize, eor: bool) -> Self {
        Self { state: SendingState::Here(buffer), from, eor }
    }

    /// Whether the kernel has taken all bytes.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(&self.state, SendingState::Here(buffer) if self.from >= buffer.len())
    }

    /// Whether an operation is in flight, so that it is not known how many bytes the kernel has taken.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        !matches!(self.state, SendingState::Here(_))
    }

    /// The bytes that the kernel has not taken, in one piece; none while an operation is in flight.
    /// Copies them.
    #[must_use]
    pub fn rest(&self) -> Vec<u8> {
        match &self.state {
            SendingState::Here(buffer) => buffer.slices(self.from).flatten().copied().collect(),
            SendingState::InFlight(_) | SendingState::Changing => Vec::new(),
        }
    }

    /// The buffer; `None` while an operation is in flight.
    #[must_use]
    pub fn into_buffer(self) -> Option<OutBuf> {
        match self.state {
            SendingState::Here(buffer) => Some(buffer),
            SendingState::InFlight(_) | SendingState::Changing => None,
        }
    }
}
