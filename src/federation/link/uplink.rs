//! [`Uplink`]: what waits for the engine to take it. Bounded, so a slow engine costs cursors in tables and no
//! memory here.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::wire::Vni;

/// The most data that waits, in bytes and messages.
const BYTES: usize = 1 << 20;
const MESSAGES: usize = 1024;
/// Room for further control messages.
const RESERVE: usize = 256;

/// The recipients of a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Address {
    /// Every site that wants a VNI.
    Vni(Vni),
    /// Every site.
    All,
    /// One site, by its name.
    Site(Arc<str>),
}

/// A message on its way out.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: Address,
    pub(crate) payload: Bytes,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Uplink {
    queue: VecDeque<Outgoing>,
    bytes: usize,
}

impl Uplink {
    /// Whether data must be refused.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES || self.queue.len() >= MESSAGES
    }

    /// Whether a table should be asked for more.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < BYTES / 2 && self.queue.len() < MESSAGES / 2
    }

    /// Whether a control message may be added.
    pub(super) fn takes_control(&self) -> bool {
        self.queue.len() < MESSAGES + RESERVE
    }

    pub(super) fn push(&mut self, to: Address, payload: Bytes) {
        self.bytes += payload.len();
        self.queue.push_back(Outgoing { to, payload });
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let outgoing = self.queue.pop_front()?;
        self.bytes -= outgoing.payload.len();
        Some(outgoing)
    }

    /// The numbers of waiting messages and bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.bytes)
    }
}
