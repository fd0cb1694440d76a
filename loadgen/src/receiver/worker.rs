//! One thread that receives: an epoll, large reads, and KEEPALIVEs in turn.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use metalbond::wire::{HEADER_LEN, MAX_FRAME, Message, MessageType, split};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::Shared;
use crate::ledger::Ledger;
use crate::plan::Plan;

/// Bytes read at once.
const READ_MAX: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// The epoll datum that is no session.
const NEWS: u64 = u64::MAX;

/// One subscriber.
#[derive(Debug)]
pub(super) struct Session {
    /// `None` when it was lost.
    stream: Option<TcpStream>,
    /// The start of a message of which the rest has not arrived.
    partial: Vec<u8>,
    pub(super) ledger: Ledger,
    pub(super) tables: u32,
    pub(super) reads: u64,
    /// The latest goal that it came to.
    reached: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Worker {
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
    pub(super) fn new(
        shared: Arc<Shared>,
        plan: Plan,
        news: Arc<OwnedFd>,
        incoming: mpsc::Receiver<TcpStream>,
        interval: Duration,
    ) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &news, epoll::EventData::new_u64(NEWS), epoll::EventFlags::IN)?;
        Ok(Self {
            shared,
            plan,
            epoll,
            news,
            incoming,
            sessions: Vec::new(),
            buffer: vec![0; READ_MAX],
            interval,
            due: Instant::now(),
            cursor: 0,
        })
    }

    /// Receives until the run is over; returns what every session came to.
    pub(super) fn run(mut self) -> std::io::Result<Vec<Session>> {
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
        Ok(self.sessions)
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
                let before = session.ledger.updates;
                let used = session.take(plan, &buffer[..carried + n]);
                shared.delivered.fetch_add(session.ledger.updates - before, Ordering::Relaxed);
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
