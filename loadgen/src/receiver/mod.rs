//! Subscribers, many to a thread, as cheap as they can be while every message is still looked at.
//!
//! State: each thread ([`worker`]) owns an epoll and the sessions it was given, each with a ledger of
//! what it holds. What the others see of it are counters: the scenario sets a [`Goal`], each session that comes to it
//! is counted off, and the last one wakes the scenario.

mod worker;

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::ledger::Faults;
use crate::plan::Plan;
use worker::{Session, Worker};

/// What every session should come to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Goal {
    /// Routes held.
    pub(crate) held: u32,
    /// END_OF_TABLEs received, or `None` when that does not matter.
    pub(crate) tables: Option<u32>,
}

/// What the threads and the scenario share.
#[derive(Debug)]
struct Shared {
    held: AtomicU32,
    tables: AtomicU32,
    /// Numbers goals; a goal's values are set before it.
    goal: AtomicU32,
    /// Sessions that have not come to the goal.
    remaining: AtomicUsize,
    lost: AtomicUsize,
    /// UPDATEs received, for who looks on.
    delivered: Arc<AtomicU64>,
    is_over: AtomicBool,
    scenario: std::thread::Thread,
}

impl Shared {
    fn is_reached(&self, session: &Session) -> bool {
        let tables = self.tables.load(Ordering::Relaxed);
        session.ledger.held == self.held.load(Ordering::Relaxed)
            && (tables == u32::MAX || session.tables == tables)
    }
}

/// A thread, from outside.
#[derive(Debug)]
struct Handle {
    inbox: mpsc::Sender<TcpStream>,
    news: Arc<OwnedFd>,
    thread: JoinHandle<std::io::Result<Vec<Session>>>,
}

/// All threads. To be used from the thread that made it.
#[derive(Debug)]
pub(crate) struct Receivers {
    shared: Arc<Shared>,
    threads: Vec<Handle>,
    sessions: usize,
}

/// What all sessions together have come to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// UPDATEs received.
    pub(crate) updates: u64,
    /// Reads that brought something: at most as many as there were sends.
    pub(crate) reads: u64,
    pub(crate) faults: Faults,
}

impl Receivers {
    /// What is received is added to `delivered` as it comes.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn new(
        threads: u16,
        plan: Plan,
        keepalive: u32,
        delivered: Arc<AtomicU64>,
    ) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            held: AtomicU32::new(0),
            tables: AtomicU32::new(0),
            goal: AtomicU32::new(0),
            remaining: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            delivered,
            is_over: AtomicBool::new(false),
            scenario: std::thread::current(),
        });
        let start = |_| {
            let news = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
            let (inbox, incoming) = mpsc::channel();
            let interval = Duration::from_secs(keepalive.into());
            let worker =
                Worker::new(Arc::clone(&shared), plan, Arc::clone(&news), incoming, interval)?;
            let thread = std::thread::Builder::new().name("receiver".into());
            let thread = thread.spawn(move || worker.run())?;
            Ok(Handle { inbox, news, thread })
        };
        let threads: std::io::Result<_> = (0..threads).map(start).collect();
        let threads = threads.map_err(|error| format!("cannot start a receiver: {error}"))?;
        Ok(Self { shared, threads, sessions: 0 })
    }

    /// Hands over a session.
    ///
    /// # Errors
    /// One sentence, when the receiving thread has ended.
    pub(crate) fn add(&mut self, stream: TcpStream) -> Result<(), String> {
        let handle = &self.threads[self.sessions % self.threads.len()];
        self.sessions += 1;
        handle.inbox.send(stream).map_err(|_| "a receiving thread has ended".to_owned())?;
        ring(&handle.news)
    }

    /// Sets what `sessions` sessions should come to, which none of them has yet. Before whatever
    /// makes them come to it.
    pub(crate) fn set_goal(&self, goal: Goal, sessions: usize) {
        self.shared.remaining.store(sessions, Ordering::Relaxed);
        self.shared.held.store(goal.held, Ordering::Relaxed);
        self.shared.tables.store(goal.tables.unwrap_or(u32::MAX), Ordering::Relaxed);
        self.shared.goal.fetch_add(1, Ordering::Release);
    }

    /// Waits for the goal; calls `meanwhile` about once a second.
    ///
    /// # Errors
    /// One sentence, when a session is lost or `patience` ends.
    pub(crate) fn wait(
        &self,
        patience: Duration,
        mut meanwhile: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        loop {
            let remaining = self.shared.remaining.load(Ordering::Acquire);
            if remaining == 0 {
                return Ok(());
            }
            self.check()?;
            if Instant::now() >= deadline {
                return Err(format!(
                    "{remaining} of {} subscribers have not got what they should after {patience:?}",
                    self.sessions
                ));
            }
            std::thread::park_timeout(Duration::from_secs(1));
            meanwhile()?;
        }
    }

    /// # Errors
    /// One sentence, when a session was lost.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.shared.lost.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => Err(format!("{lost} subscribers lost their session")),
        }
    }

    /// Ends all sessions and says what they received, when each should hold exactly the first
    /// `expected` routes.
    ///
    /// # Errors
    /// One sentence, when a receiving thread failed.
    pub(crate) fn finish(self, expected: u32) -> Result<Outcome, String> {
        self.shared.is_over.store(true, Ordering::Release);
        let mut outcome = Outcome::default();
        for handle in self.threads {
            ring(&handle.news)?;
            let sessions = handle.thread.join().map_err(|_| "a receiving thread panicked")?;
            let sessions = sessions.map_err(|error| format!("receiver: {error}"))?;
            for session in sessions {
                outcome.updates += session.ledger.updates;
                outcome.reads += session.reads;
                outcome.faults += session.ledger.settle(expected);
            }
        }
        Ok(outcome)
    }
}

fn ring(news: &OwnedFd) -> Result<(), String> {
    let rung = rustix::io::write(news, &1u64.to_ne_bytes());
    rung.map(drop).map_err(|error| format!("cannot wake a receiver: {error}"))
}
