//! What the threads and the scenario share: goals, orders and counters.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::interest::Interest;
use super::timing::Timing;
use crate::route_set::{Digests, Views};

/// The routes and messages that every session should reach.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// The routes held. Whether they are exactly the right ones is verified at the end.
    pub(crate) views: Digests,
    /// The number of END_OF_TABLEs received; `None` when it does not matter.
    pub(crate) tables: Option<u32>,
}

impl Goal {
    /// The session should hold these routes; END_OF_TABLEs do not count.
    pub(crate) fn of(views: &Views) -> Self {
        Self { views: views.digests(), tables: None }
    }
}

/// How a session reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// A stream of bytes, as much as there is.
    Stream,
    /// As the deployed Go client: a read has whole messages and fewer than 65,535 bytes, or the session ends; and
    /// the client reads again only when it has installed all routes.
    GoClient { install: Duration },
}

/// A session to receive on. Another thread may write to it.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) stream: TcpStream,
    /// The number of the peer whose view it should get.
    pub(crate) peer: usize,
    /// Whether the receiver sends KEEPALIVEs: not when another thread writes to it.
    pub(crate) keeps_alive: bool,
    /// Whether the latency of updates is measured.
    pub(crate) is_timed: bool,
    pub(crate) reading: Reading,
    /// The VNIs to which it is subscribed, if they change.
    pub(crate) interest: Option<Arc<Interest>>,
}

impl Subscriber {
    /// A session to which only the receiver writes.
    pub(crate) fn new(stream: TcpStream, peer: usize) -> Self {
        Self {
            stream,
            peer,
            keeps_alive: true,
            is_timed: false,
            reading: Reading::Stream,
            interest: None,
        }
    }
}

/// The present goal, if any.
#[derive(Debug)]
pub(super) struct Pursuit {
    pub(super) number: u32,
    pub(super) goal: Option<Goal>,
    /// The number of sessions that have not reached it.
    pub(super) remaining: AtomicUsize,
}

/// An order to a thread.
#[derive(Debug)]
pub(super) enum ReceiverOrder {
    Add(Box<Subscriber>),
    Dismiss { peers: usize, abort: bool, done: mpsc::Sender<()> },
    Check,
}

/// The state that the threads and the scenario share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pursuit: Mutex<Arc<Pursuit>>,
    /// The number of the pursuit; set after the pursuit itself.
    pub(super) number: AtomicU32,
    pub(super) lost: AtomicUsize,
    /// UPDATEs received, for the live line.
    pub(super) delivered: Arc<AtomicU64>,
    pub(super) timing: Option<Arc<Timing>>,
    pub(super) is_over: AtomicBool,
    pub(super) scenario: std::thread::Thread,
}

impl Shared {
    /// The present pursuit.
    pub(super) fn pursuit(&self) -> Arc<Pursuit> {
        Arc::clone(&self.pursuit.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
