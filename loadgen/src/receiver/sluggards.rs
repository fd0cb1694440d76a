//! Readers as a server fears them: some read a little now and then, some nothing at all.
//!
//! All send KEEPALIVEs, as a process does of which only one thread is stuck. One thread serves them
//! all. At the end those whose session the server has not ended are read out, and must
//! then hold exactly what all others do.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metalbond::wire::Message;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::Subscriber;
use super::session::{Read, SubscriberSession};
use crate::catalogue::Catalogue;
use crate::ledger::Faults;
use crate::route_set::RouteSet;

/// The time between two reads of a slow reader.
const STEP: Duration = Duration::from_millis(50);
/// The most bytes read at once when everything is read out.
const READ_MAX: usize = 64 * 1024;

/// The receive buffer for their sockets: small, so that the server notices.
pub(crate) const RECEIVE_BUFFER: usize = 4096;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Sluggards {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Crowd>,
}

/// The results of slow and stuck readers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// How many sessions of slow and of stuck readers the server had ended.
    pub(crate) slow_closed: usize,
    pub(crate) stuck_closed: usize,
    /// UPDATEs received before the end, and while reading out.
    pub(crate) before: u64,
    pub(crate) read_out: u64,
    pub(crate) faults: Faults,
}

#[derive(Debug)]
struct Crowd {
    routes: Catalogue,
    /// The stuck readers come last.
    sessions: Vec<SubscriberSession>,
    slow: usize,
    /// The bytes that a slow reader reads in a step.
    sip: usize,
    interval: Duration,
}

impl Sluggards {
    /// Slow readers that read `bytes_per_second`, and stuck ones. All are subscribed already.
    ///
    /// # Errors
    /// One sentence, when the thread can't start.
    pub(crate) fn start(
        routes: Catalogue,
        slow: Vec<TcpStream>,
        stuck: Vec<TcpStream>,
        bytes_per_second: u32,
        keepalive: u32,
    ) -> Result<Self, String> {
        let count = slow.len();
        let sessions = slow.into_iter().chain(stuck);
        let sessions =
            sessions.map(|stream| SubscriberSession::new(Subscriber::new(stream, 0), &routes));
        let sessions = sessions.collect();
        let steps = u32::try_from(Duration::from_secs(1).as_millis() / STEP.as_millis());
        let sip = (bytes_per_second / steps.unwrap_or(1)).max(1) as usize;
        let interval = Duration::from_secs(keepalive.into());
        let crowd = Crowd { routes, sessions, slow: count, sip, interval };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("sluggards".into());
        let thread = thread.spawn(move || crowd.dawdle(&over));
        let thread = thread.map_err(|error| format!("cannot start slow readers: {error}"))?;
        Ok(Self { is_over, thread })
    }

    /// Reads everything out, within `patience`; each reader should then hold `view`.
    ///
    /// # Errors
    /// One sentence, when the thread failed.
    pub(crate) fn finish(self, view: &RouteSet, patience: Duration) -> Result<Fate, String> {
        self.is_over.store(true, Ordering::Release);
        let crowd = self.thread.join().map_err(|_| "the slow readers' thread panicked")?;
        Ok(crowd.read_out(view, patience))
    }
}

impl Crowd {
    fn dawdle(mut self, is_over: &AtomicBool) -> Self {
        let mut buffer = vec![0; self.sip];
        let mut frame = Vec::new();
        Message::Keepalive.encode_into(&mut frame);
        let mut due = Instant::now() + self.interval;
        while !is_over.load(Ordering::Acquire) {
            for session in &mut self.sessions[..self.slow] {
                if session.read(&self.routes, &mut buffer, None) == Read::Lost {
                    session.stream = None;
                }
            }
            if Instant::now() >= due {
                due += self.interval;
                self.sessions.iter_mut().for_each(|session| keep_alive(session, &frame));
            }
            std::thread::sleep(STEP);
        }
        self
    }

    fn read_out(mut self, view: &RouteSet, patience: Duration) -> Fate {
        let mut fate = Fate { before: self.updates(), ..Fate::default() };
        let deadline = Instant::now() + patience;
        let mut buffer = vec![0; READ_MAX];
        loop {
            let mut is_done = true;
            let mut is_idle = true;
            for session in self.sessions.iter_mut().filter(|session| session.stream.is_some()) {
                match session.read(&self.routes, &mut buffer, None) {
                    Read::Lost => session.stream = None,
                    Read::Updates(0) => {}
                    Read::Updates(_) => is_idle = false,
                }
                is_done &= session.stream.is_none() || session.ledger.held == *view;
            }
            if (is_done && is_idle) || Instant::now() >= deadline {
                break;
            }
            if is_idle {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for (number, session) in self.sessions.iter().enumerate() {
            if session.stream.is_some() {
                fate.faults += session.ledger.settle(view);
                continue;
            }
            fate.faults += session.ledger.faults;
            let closed =
                if number < self.slow { &mut fate.slow_closed } else { &mut fate.stuck_closed };
            *closed += 1;
        }
        fate.read_out = self.updates() - fate.before;
        fate
    }

    fn updates(&self) -> u64 {
        self.sessions.iter().map(|session| session.ledger.updates).sum()
    }
}

/// A failed write shows that the server has ended a session, even if its reader reads nothing.
fn keep_alive(session: &mut SubscriberSession, frame: &[u8]) {
    let Some(stream) = &session.stream else { return };
    match send(stream, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
        Err(_) => session.stream = None,
    }
}
