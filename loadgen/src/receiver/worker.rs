//! One thread that receives: an epoll, large reads, and KEEPALIVEs in turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metalbond::wire::Message;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::sockopt::set_socket_linger;

use super::session::{Read, SubscriberSession};
use super::shared::{Pursuit, Reading, ReceiverOrder, Shared};
use super::timing::Stopwatch;
use crate::catalogue::Catalogue;

/// The most bytes read at once.
const READ_MAX: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// The longest wait.
const LONG: Duration = Duration::from_millis(999);
/// The epoll datum that stands for news, and not for a session.
const NEWS: u64 = u64::MAX;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    routes: Catalogue,
    epoll: OwnedFd,
    news: Arc<OwnedFd>,
    orders: mpsc::Receiver<ReceiverOrder>,
    sessions: Vec<SubscriberSession>,
    /// The buffer of reads.
    buffer: Vec<u8>,
    stopwatch: Option<Stopwatch>,
    pursuit: Arc<Pursuit>,
    interval: Duration,
    /// When the session at `cursor` should send a KEEPALIVE: they take turns, evenly.
    due: Instant,
    cursor: usize,
    /// The Go clients that install routes at present, each with the time when it is done. Until then the thread
    /// reads nothing from its socket.
    installing: BinaryHeap<Reverse<(Instant, usize)>>,
}

/// The results of a thread.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) sessions: Vec<SubscriberSession>,
    pub(super) latencies: Vec<Histogram<u64>>,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        routes: Catalogue,
        news: Arc<OwnedFd>,
        orders: mpsc::Receiver<ReceiverOrder>,
        interval: Duration,
    ) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &news, epoll::EventData::new_u64(NEWS), epoll::EventFlags::IN)?;
        let stopwatch = shared.timing.as_ref().map(|timing| Stopwatch::new(Arc::clone(timing)));
        let pursuit = shared.pursuit();
        Ok(Self {
            shared,
            routes,
            epoll,
            news,
            orders,
            sessions: Vec::new(),
            buffer: vec![0; READ_MAX],
            stopwatch,
            pursuit,
            interval,
            due: Instant::now(),
            cursor: 0,
            installing: BinaryHeap::new(),
        })
    }

    /// Receives until the run is over; returns the results of every session.
    pub(super) fn run(mut self) -> std::io::Result<Estate> {
        let mut events = Vec::with_capacity(EVENTS);
        while !self.shared.is_over.load(Ordering::Acquire) {
            let wait = self.keep_alive().min(self.install()?);
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
        let latencies = self.stopwatch.map(|stopwatch| stopwatch.parts).unwrap_or_default();
        Ok(Estate { sessions: self.sessions, latencies })
    }

    /// Lets clients that have installed everything read again; returns the time until the next one, below a second.
    fn install(&mut self) -> std::io::Result<Duration> {
        let now = Instant::now();
        while let Some(Reverse((until, index))) = self.installing.peek().copied() {
            if until > now {
                return Ok((until - now).min(LONG));
            }
            self.installing.pop();
            if let Some(stream) = self.sessions.get(index).and_then(|it| it.stream.as_ref()) {
                let datum = epoll::EventData::new_u64(index as u64);
                epoll::add(&self.epoll, stream, datum, epoll::EventFlags::IN)?;
            }
        }
        Ok(LONG)
    }

    fn take_news(&mut self) -> std::io::Result<()> {
        rustix::io::read(&self.news, &mut [0u8; 8])?;
        while let Ok(order) = self.orders.try_recv() {
            match order {
                ReceiverOrder::Add(subscriber) => {
                    let datum = epoll::EventData::new_u64(self.sessions.len() as u64);
                    let fd = subscriber.stream.as_fd();
                    epoll::add(&self.epoll, fd, datum, epoll::EventFlags::IN)?;
                    if self.sessions.is_empty() {
                        self.due = Instant::now();
                    }
                    self.sessions.push(SubscriberSession::new(*subscriber, &self.routes));
                }
                ReceiverOrder::Dismiss { peers, abort, done } => {
                    self.dismiss(peers, abort)?;
                    done.send(()).ok(); // an error means that the caller has given up and said so
                }
                ReceiverOrder::Check => {
                    for index in 0..self.sessions.len() {
                        self.look(index);
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the sessions of the first `peers` peers: with a reset, or as a program that exits.
    fn dismiss(&mut self, peers: usize, abort: bool) -> std::io::Result<()> {
        self.refresh();
        for session in self.sessions.iter_mut().filter(|session| session.peer < peers) {
            let Some(stream) = session.stream.take() else { continue };
            session.is_dismissed = true;
            // The session that takes its place must reach the goal too.
            if session.reached == self.pursuit.number {
                self.pursuit.remaining.fetch_add(1, Ordering::AcqRel);
            }
            epoll::delete(&self.epoll, &stream)?;
            if abort {
                set_socket_linger(&stream, Some(Duration::ZERO))?;
            }
        }
        Ok(())
    }

    /// Sends the KEEPALIVEs that are due; returns how long until the next, below a second.
    fn keep_alive(&mut self) -> Duration {
        let Ok(count @ 1..) = u32::try_from(self.sessions.len()) else { return LONG };
        let mut frame = Vec::new();
        Message::Keepalive.encode_into(&mut frame);
        loop {
            let wait = self.due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                return wait.min(LONG);
            }
            self.due += self.interval / count;
            self.cursor = (self.cursor + 1) % self.sessions.len();
            let session = &self.sessions[self.cursor];
            if session.keeps_alive {
                session.try_write(&frame);
            }
        }
    }

    fn read(&mut self, index: usize) -> std::io::Result<()> {
        let Self { shared, routes, sessions, buffer, stopwatch, .. } = self;
        let Some(session) = sessions.get_mut(index) else { return Ok(()) };
        if session.stream.is_none() {
            return Ok(());
        }
        match session.read(routes, buffer, stopwatch.as_mut()) {
            Read::Updates(0) => {}
            Read::Updates(count) => {
                shared.delivered.fetch_add(count, Ordering::Relaxed);
                if let (Reading::GoClient { install }, Some(stream)) =
                    (session.reading, &session.stream)
                    && !install.is_zero()
                {
                    epoll::delete(&self.epoll, stream)?;
                    let routes = u32::try_from(count).unwrap_or(u32::MAX);
                    self.installing.push(Reverse((Instant::now() + install * routes, index)));
                }
            }
            Read::Lost => {
                if let Some(stream) = session.stream.take() {
                    epoll::delete(&self.epoll, stream)?;
                }
                session.ledger.faults.lost += 1;
                shared.lost.fetch_add(1, Ordering::Relaxed);
                shared.scenario.unpark();
                return Ok(());
            }
        }
        self.look(index);
        Ok(())
    }

    /// Takes over a new goal.
    #[inline]
    fn refresh(&mut self) {
        if self.shared.number.load(Ordering::Acquire) != self.pursuit.number {
            self.pursuit = self.shared.pursuit();
        }
    }

    /// Counts a session as done when it reaches the goal, and as remaining when it leaves it.
    fn look(&mut self, index: usize) {
        self.refresh();
        let Self { shared, sessions, pursuit, .. } = self;
        let session = &mut sessions[index];
        if session.stream.is_none() {
            return;
        }
        match (session.reached == pursuit.number, session.is_at(pursuit)) {
            (false, true) => {
                session.reached = pursuit.number;
                session.reached_at = Some(Instant::now());
                if pursuit.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
                    shared.scenario.unpark();
                }
            }
            (true, false) if pursuit.goal.is_some() => {
                session.reached = 0;
                pursuit.remaining.fetch_add(1, Ordering::AcqRel);
            }
            _ => {}
        }
    }
}
