//! The writing halves of sessions that a receiver reads.
//!
//! Some sessions send every last message in two parts: a server has half a message of them at almost any time.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use metalbond::wire::Message;

/// How long the second part of a message waits. A tenant that leaves a hypervisor stays away for longer.
const HALF_TIME: Duration = Duration::from_millis(500);
/// The bytes of the second part: fewer than the shortest message has.
const TAIL: usize = 3;

/// See the module's documentation. Sessions are numbered from 0.
#[derive(Debug)]
pub(crate) struct Writers {
    sessions: Vec<Writer>,
    interval: Duration,
    /// When the session at `cursor` should send a KEEPALIVE: they take turns, evenly.
    due: Instant,
    cursor: usize,
    /// The number of sessions that send messages in two parts.
    halves: usize,
    /// When to look at a session with a second part to send.
    waiting: VecDeque<(Instant, usize)>,
}

#[derive(Debug)]
struct Writer {
    stream: TcpStream,
    /// The second part of a message.
    tail: Vec<u8>,
    since: Instant,
}

impl Writers {
    /// Sessions that send a KEEPALIVE every `keepalive` seconds; the first `halves` send messages in two parts.
    pub(crate) fn new(keepalive: u32, halves: usize) -> Self {
        let interval = Duration::from_secs(keepalive.into());
        let (sessions, waiting) = (Vec::new(), VecDeque::new());
        Self { sessions, interval, due: Instant::now(), cursor: 0, halves, waiting }
    }

    /// Takes a session; returns its clone for the receiver.
    ///
    /// # Errors
    /// One sentence, when there are no descriptors left.
    pub(crate) fn add(&mut self, stream: TcpStream) -> Result<TcpStream, String> {
        let other = stream.try_clone().map_err(|error| format!("session: {error}"))?;
        self.sessions.push(Writer { stream, tail: Vec::new(), since: Instant::now() });
        Ok(other)
    }

    /// Sends whole messages. Waits while the server reads nothing.
    ///
    /// # Errors
    /// One sentence, when the session has ended.
    pub(crate) fn send(&mut self, number: usize, frames: &[u8]) -> Result<(), String> {
        let cut =
            if number < self.halves { frames.len().saturating_sub(TAIL) } else { frames.len() };
        let (now, later) = frames.split_at(cut);
        let writer = &mut self.sessions[number];
        writer.write(number, now)?;
        if !later.is_empty() {
            writer.tail.extend_from_slice(later);
            writer.since = Instant::now();
            self.waiting.push_back((writer.since + HALF_TIME, number));
        }
        Ok(())
    }

    /// Sends the second parts and the KEEPALIVEs that are due.
    ///
    /// # Errors
    /// One sentence, when a session has ended.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some((due, number)) = self.waiting.front().copied().filter(|(due, _)| *due <= now)
        {
            self.waiting.pop_front();
            let writer = &mut self.sessions[number];
            // A later message has taken this second part along, and has a time of its own.
            if writer.since + HALF_TIME <= due {
                writer.write(number, &[])?;
            }
        }
        let Ok(count @ 1..) = u32::try_from(self.sessions.len()) else { return Ok(()) };
        let mut frame = Vec::new();
        Message::Keepalive.encode_into(&mut frame);
        while now >= self.due {
            self.due += self.interval / count;
            self.cursor = (self.cursor + 1) % self.sessions.len();
            self.sessions[self.cursor].write(self.cursor, &frame)?;
        }
        Ok(())
    }
}

impl Writer {
    /// Sends the rest of the previous message, and `more`.
    fn write(&mut self, number: usize, more: &[u8]) -> Result<(), String> {
        if self.tail.is_empty() {
            let sent = self.stream.write_all(more);
            return sent.map_err(|error| format!("session {number}: {error}"));
        }
        self.tail.extend_from_slice(more);
        let sent = self.stream.write_all(&self.tail);
        self.tail.clear();
        sent.map_err(|error| format!("session {number}: {error}"))
    }
}
