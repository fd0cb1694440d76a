//! Subscribers, many to a thread. They are as cheap as possible, although they check every message.
//!
//! State: each thread ([`worker`]) owns an epoll and its sessions, each with a ledger of the routes that it holds.
//! Other threads see only counters: the scenario sets a [`Goal`], each session that reaches the goal is counted, and
//! the last one wakes the scenario.

mod interest;
mod session;
mod shared;
mod sluggards;
mod timing;
mod worker;

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{EventfdFlags, eventfd};

use crate::catalogue::Catalogue;
use crate::ledger::Faults;
use crate::route_set::Views;
pub(crate) use interest::Interest;
pub(crate) use shared::{Goal, Reading, Subscriber};
use shared::{Pursuit, ReceiverOrder, Shared};
pub(crate) use sluggards::{Fate, RECEIVE_BUFFER, Sluggards};
pub(crate) use timing::{Timing, histogram};
use worker::{Estate, Worker};

/// The scenario's handle of a thread.
#[derive(Debug)]
struct Handle {
    orders: mpsc::Sender<ReceiverOrder>,
    news: Arc<OwnedFd>,
    thread: JoinHandle<std::io::Result<Estate>>,
}

impl Handle {
    fn order(&self, order: ReceiverOrder) -> Result<(), String> {
        self.orders.send(order).map_err(|_| "a receiving thread has ended".to_owned())?;
        self.ring()
    }

    fn ring(&self) -> Result<(), String> {
        let rung = rustix::io::write(&self.news, &1u64.to_ne_bytes());
        rung.map(drop).map_err(|error| format!("cannot wake a receiver: {error}"))
    }
}

/// All receiving threads. Use it only from the thread that made it.
#[derive(Debug)]
pub(crate) struct Receivers {
    shared: Arc<Shared>,
    threads: Vec<Handle>,
    sessions: usize,
}

/// The results of all sessions together.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The longest time between two reads of a session whose updates are timed.
    pub(crate) longest_silence: Duration,
    /// UPDATEs received.
    pub(crate) updates: u64,
    /// Reads that brought data: at most as many as there were sends.
    pub(crate) reads: u64,
    pub(crate) faults: Faults,
    /// How long updates took, for each part of the run.
    pub(crate) latencies: Vec<Histogram<u64>>,
    /// When each session reached the last goal.
    pub(crate) reached_at: Vec<Instant>,
    /// The sessions, which are still open.
    pub(crate) streams: Vec<TcpStream>,
}

impl Receivers {
    /// Received UPDATEs are added to `delivered` as they come.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn new(
        threads: u16,
        routes: Catalogue,
        keepalive: u32,
        delivered: Arc<AtomicU64>,
        timing: Option<Arc<Timing>>,
    ) -> Result<Self, String> {
        let pursuit = Pursuit { number: 0, goal: None, remaining: AtomicUsize::new(0) };
        let shared = Arc::new(Shared {
            pursuit: Mutex::new(Arc::new(pursuit)),
            number: AtomicU32::new(0),
            lost: AtomicUsize::new(0),
            delivered,
            timing,
            is_over: AtomicBool::new(false),
            scenario: std::thread::current(),
        });
        let start = |_| {
            let news = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
            let (orders, incoming) = mpsc::channel();
            let interval = Duration::from_secs(keepalive.into());
            let worker = Worker::new(
                Arc::clone(&shared),
                routes.clone(),
                Arc::clone(&news),
                incoming,
                interval,
            )?;
            let thread = std::thread::Builder::new().name("receiver".into());
            let thread = thread.spawn(move || worker.run())?;
            Ok(Handle { orders, news, thread })
        };
        let threads: std::io::Result<_> = (0..threads).map(start).collect();
        let threads = threads.map_err(|error| format!("cannot start a receiver: {error}"))?;
        Ok(Self { shared, threads, sessions: 0 })
    }

    /// Hands over a session.
    ///
    /// # Errors
    /// One sentence, when the receiving thread has ended.
    pub(crate) fn add(&mut self, subscriber: Subscriber) -> Result<(), String> {
        let handle = &self.threads[self.sessions % self.threads.len()];
        self.sessions += 1;
        handle.order(ReceiverOrder::Add(Box::new(subscriber)))
    }

    /// Ends the sessions of the first `peers` peers at once, and waits until they have ended.
    ///
    /// # Errors
    /// One sentence, when a receiving thread has ended.
    pub(crate) fn dismiss(&self, peers: usize, abort: bool) -> Result<(), String> {
        let (done, all_done) = mpsc::channel();
        for handle in &self.threads {
            handle.order(ReceiverOrder::Dismiss { peers, abort, done: done.clone() })?;
        }
        for _ in &self.threads {
            all_done.recv().map_err(|_| "a receiving thread has ended")?;
        }
        Ok(())
    }

    /// Sets the goal of `sessions` sessions, none of which has reached it yet. Call it before the updates that make
    /// them reach it.
    pub(crate) fn set_goal(&self, goal: Goal, sessions: usize) {
        self.pursue(Some(goal), sessions);
    }

    /// Sets the goal of `sessions` sessions, some of which may have reached it already.
    ///
    /// # Errors
    /// One sentence, when a receiving thread has ended.
    pub(crate) fn check_goal(&self, goal: Goal, sessions: usize) -> Result<(), String> {
        self.pursue(Some(goal), sessions);
        self.threads.iter().try_for_each(|handle| handle.order(ReceiverOrder::Check))
    }

    /// Ends the goal.
    pub(crate) fn clear_goal(&self) {
        self.pursue(None, 0);
    }

    fn pursue(&self, goal: Option<Goal>, sessions: usize) {
        let mut pursuit = self.shared.pursuit.lock().unwrap_or_else(PoisonError::into_inner);
        let number = pursuit.number.wrapping_add(1).max(1);
        *pursuit = Arc::new(Pursuit { number, goal, remaining: AtomicUsize::new(sessions) });
        self.shared.number.store(number, Ordering::Release);
    }

    /// The number of sessions that have not reached the goal.
    pub(crate) fn remaining(&self) -> usize {
        self.shared.pursuit().remaining.load(Ordering::Acquire)
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
        let pursuit = self.shared.pursuit();
        loop {
            let remaining = pursuit.remaining.load(Ordering::Acquire);
            if remaining == 0 {
                return Ok(());
            }
            self.check()?;
            if Instant::now() >= deadline {
                return Err(format!(
                    "{remaining} of {} subscribers do not have the expected routes after {patience:?}",
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

    /// Ends receiving and returns the results; each session should hold exactly its view.
    ///
    /// # Errors
    /// One sentence, when a receiving thread failed.
    pub(crate) fn finish(self, views: &Views) -> Result<Outcome, String> {
        self.shared.is_over.store(true, Ordering::Release);
        let mut outcome = Outcome::default();
        for handle in self.threads {
            handle.ring()?;
            let estate = handle.thread.join().map_err(|_| "a receiving thread panicked")?;
            let estate = estate.map_err(|error| format!("receiver: {error}"))?;
            for session in estate.sessions {
                outcome.updates += session.ledger.updates;
                outcome.reads += session.reads;
                let silence = Duration::from_nanos(session.longest_silence);
                outcome.longest_silence = outcome.longest_silence.max(silence);
                outcome.faults += if session.is_dismissed {
                    session.ledger.faults
                } else {
                    session.ledger.settle(views.of(session.peer))
                };
                outcome.reached_at.extend(session.reached_at.filter(|_| !session.is_dismissed));
                outcome.streams.extend(session.stream);
            }
            for (part, times) in estate.latencies.into_iter().enumerate() {
                while outcome.latencies.len() <= part {
                    outcome.latencies.push(histogram());
                }
                outcome.latencies[part]
                    .add(times)
                    .map_err(|error| format!("cannot add up latencies: {error}"))?;
            }
        }
        Ok(outcome)
    }
}
