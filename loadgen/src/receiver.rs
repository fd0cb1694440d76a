//! Subscribers, many to a thread, as cheap as they can be while every message is still looked at.
//!
//! State: each thread owns an epoll and the sessions it was given, one [`Ledger`] per session. What
//! the others see of it are counters: the scenario sets a [`Goal`], each session that comes to it
//! is counted off, and the last one wakes the scenario.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metalbond::wire::{HEADER_LEN, MAX_FRAME, Message, MessageType, split};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use crate::ledger::{Faults, Ledger};
use crate::plan::Plan;

/// Bytes read at once.
const READ_MAX: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// The epoll datum that is no session.
const NEWS: u64 = u64::MAX;

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

/// One subscriber.
#[derive(Debug)]
struct Session {
    /// `None` when it was lost.
    stream: Option<TcpStream>,
    /// The start of a message of which the rest has not arrived.
    partial: Vec<u8>,
    ledger: Ledger,
    tables: u32,
    reads: u64,
    /// The latest goal that it came to.
    reached: u32,
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
    /// # Errors
    /// One sentence.
    pub(crate) fn new(threads: u16, plan: Plan, keepalive: u32) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            held: AtomicU32::new(0),
            tables: AtomicU32::new(0),
            goal: AtomicU32::new(0),
            remaining: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            scenario: std::thread::current(),
        });
        let start = |_| {
            let news = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let datum = epoll::EventData::new_u64(NEWS);
            epoll::add(&epoll, &news, datum, epoll::EventFlags::IN)?;
            let (inbox, incoming) = mpsc::channel();
            let mut worker = Worker {
                shared: Arc::clone(&shared),
                plan,
                epoll,
                news: Arc::clone(&news),
                incoming,
                sessions: Vec::new(),
                buffer: vec![0; READ_MAX],
                interval: Duration::from_secs(keepalive.into()),
                due: Instant::now(),
                cursor: 0,
            };
            let thread = std::thread::Builder::new().name("receiver".into());
            let thread = thread.spawn(move || worker.run().map(|()| worker.sessions))?;
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

/// A thread, from inside.
#[derive(Debug)]
struct Worker {
    shared: Arc<Shared>,
    plan: Plan,
    epoll: OwnedFd,
    news: Arc<OwnedFd>,
    incoming: mpsc::Receiver<TcpStream>,
    sessions: Vec<Session>,
    /// What is being read, behind the partial message that was left before.
    buffer: Vec<u8>,
    interval: Duration,
    /// When the session at `cursor` should send a KEEPALIVE: they take turns, evenly.
    due: Instant,
    cursor: usize,
}

impl Worker {
    fn run(&mut self) -> std::io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.shared.is_over.load(Ordering::Acquire) {
            let wait = self.keep_alive();
            let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    NEWS => self.take_news()?,
                    index => self.read(usize::try_from(index).unwrap_or(usize::MAX))?,
                }
            }
        }
        Ok(())
    }

    fn take_news(&mut self) -> std::io::Result<()> {
        rustix::io::read(&self.news, &mut [0u8; 8])?;
        while let Ok(stream) = self.incoming.try_recv() {
            stream.set_nonblocking(true)?;
            let datum = epoll::EventData::new_u64(self.sessions.len() as u64);
            epoll::add(&self.epoll, stream.as_fd(), datum, epoll::EventFlags::IN)?;
            if self.sessions.is_empty() {
                self.due = Instant::now();
            }
            self.sessions.push(Session {
                stream: Some(stream),
                partial: Vec::new(),
                ledger: Ledger::new(&self.plan),
                tables: 0,
                reads: 0,
                reached: 0,
            });
        }
        Ok(())
    }

    /// Sends the KEEPALIVEs that are due; returns how long until the next, below a second.
    fn keep_alive(&mut self) -> Duration {
        let long = Duration::from_millis(999);
        let Ok(count @ 1..) = u32::try_from(self.sessions.len()) else { return long };
        let mut frame = Vec::new();
        Message::Keepalive.encode_into(&mut frame);
        loop {
            let wait = self.due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return wait.min(long);
            }
            self.due += self.interval / count;
            self.cursor = (self.cursor + 1) % self.sessions.len();
            if let Some(stream) = &mut self.sessions[self.cursor].stream {
                // A session that is broken shows it when it is read.
                drop(stream.write(&frame));
            }
        }
    }

    fn read(&mut self, index: usize) -> std::io::Result<()> {
        let Self { shared, plan, sessions, buffer, epoll, .. } = self;
        let Some(session) = sessions.get_mut(index) else { return Ok(()) };
        let Some(stream) = &mut session.stream else { return Ok(()) };
        let carried = session.partial.len();
        buffer[..carried].copy_from_slice(&session.partial);
        let is_lost = match stream.read(&mut buffer[carried..]) {
            Ok(0) => true,
            Ok(n) => {
                session.reads += 1;
                let used = session.take(plan, &buffer[..carried + n]);
                session.partial.clear();
                match used {
                    Some(used) => session.partial.extend_from_slice(&buffer[used..carried + n]),
                    None => session.ledger.faults.garbage += 1,
                }
                used.is_none()
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        if is_lost {
            if let Some(stream) = session.stream.take() {
                epoll::delete(&*epoll, stream)?;
            }
            session.ledger.faults.lost += 1;
            shared.lost.fetch_add(1, Ordering::Relaxed);
            shared.scenario.unpark();
            return Ok(());
        }
        let goal = shared.goal.load(Ordering::Acquire);
        if session.reached != goal && shared.is_reached(session) {
            session.reached = goal;
            if shared.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
                shared.scenario.unpark();
            }
        }
        Ok(())
    }
}

impl Session {
    /// Takes all whole messages; returns how many bytes they are, `None` when something is none.
    fn take(&mut self, plan: &Plan, bytes: &[u8]) -> Option<usize> {
        let mut used = 0;
        while let Some(frame) = split(&bytes[used..]).ok()? {
            match frame.kind {
                MessageType::Update if !self.ledger.update(plan, frame.payload) => return None,
                MessageType::EndOfTable => self.tables += 1,
                _ => {}
            }
            used += HEADER_LEN + frame.payload.len();
        }
        debug_assert!(bytes.len() - used < MAX_FRAME, "split takes every whole message");
        Some(used)
    }
}
