//! The writing halves of sessions that a receiver reads.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use metalbond::wire::Message;

/// See the module's documentation. Sessions go by their numbers, from 0.
#[derive(Debug)]
pub(crate) struct Writers {
    streams: Vec<TcpStream>,
    interval: Duration,
    /// When the session at `cursor` should send a KEEPALIVE: they take turns, evenly.
    due: Instant,
    cursor: usize,
}

impl Writers {
    /// Sessions that send KEEPALIVEs every so many seconds.
    pub(crate) fn new(keepalive: u32) -> Self {
        let interval = Duration::from_secs(keepalive.into());
        Self { streams: Vec::new(), interval, due: Instant::now(), cursor: 0 }
    }

    /// Takes a session; returns the half that is for the receiver.
    ///
    /// # Errors
    /// One sentence, when there are no descriptors left.
    pub(crate) fn add(&mut self, stream: TcpStream) -> Result<TcpStream, String> {
        let other = stream.try_clone().map_err(|error| format!("session: {error}"))?;
        self.streams.push(stream);
        Ok(other)
    }

    /// Sends whole messages. Waits for as long as the server takes nothing.
    ///
    /// # Errors
    /// One sentence, when the session has ended.
    pub(crate) fn send(&mut self, number: usize, frames: &[u8]) -> Result<(), String> {
        let sent = self.streams[number].write_all(frames);
        sent.map_err(|error| format!("session {number}: {error}"))
    }

    /// Sends the KEEPALIVEs that are due.
    ///
    /// # Errors
    /// One sentence, when a session has ended.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        let Ok(count @ 1..) = u32::try_from(self.streams.len()) else { return Ok(()) };
        let mut frame = Vec::new();
        while Instant::now() >= self.due {
            self.due += self.interval / count;
            self.cursor = (self.cursor + 1) % self.streams.len();
            frame.clear();
            Message::Keepalive.encode_into(&mut frame);
            self.send(self.cursor, &frame)?;
        }
        Ok(())
    }
}
