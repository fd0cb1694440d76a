//! What the threads and the scenario share: goals, orders and counters.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::interest::Interest;
use super::timing::Timing;
use crate::route_set::{Digests, Views};

/// What every session should come to hold.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// Routes held. That they are exactly the right ones is verified at the end.
    pub(crate) views: Digests,
    /// END_OF_TABLEs received, or `None` when that does not matter.
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
    /// every route takes a time to be installed before it reads again.
    GoClient { install: Duration },
}

/// A session to receive on. It may be written to elsewhere.
#[derive(Debug)]
pub(crate) struct Subscriber {
    pub(crate) stream: TcpStream,
    /// Number of the peer whose view it should get.
    pub(crate) peer: usize,
    /// Whether the receiver sends KEEPALIVEs: not when others write to it.
    pub(crate) keeps_alive: bool,
    /// Whether it is measured how long updates take.
    pub(crate) is_timed: bool,
    pub(crate) reading: Reading,
    /// Which VNIs it is subscribed to, when that changes.
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

/// A goal that is pursued, or none.
#[derive(Debug)]
pub(super) struct Pursuit {
    pub(super) number: u32,
    pub(super) goal: Option<Goal>,
    /// Sessions that are not there.
    pub(super) remaining: AtomicUsize,
}

/// What a thread is told to do.
#[derive(Debug)]
pub(super) enum ReceiverOrder {
    Add(Box<Subscriber>),
    Dismiss { peers: usize, abort: bool, done: mpsc::Sender<()> },
    Check,
}

/// What the threads and the scenario share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) pursuit: Mutex<Arc<Pursuit>>,
    /// That of the pursuit, which is set before it.
    pub(super) number: AtomicU32,
    pub(super) lost: AtomicUsize,
    /// UPDATEs received, for who looks on.
    pub(super) delivered: Arc<AtomicU64>,
    pub(super) timing: Option<Arc<Timing>>,
    pub(super) is_over: AtomicBool,
    pub(super) scenario: std::thread::Thread,
}

impl Shared {
    /// What is pursued now.
    pub(super) fn pursuit(&self) -> Arc<Pursuit> {
        Arc::clone(&self.pursuit.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
