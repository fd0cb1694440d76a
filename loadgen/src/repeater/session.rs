//! One session: what it has not sent in full, and what could not be sent to it yet.

use std::io::{ErrorKind, IoSlice, Write as _};
use std::net::TcpStream;

use rustix::net::SendFlags;

/// A session with more unread bytes than this is closed: it would take all memory.
const PENDING_MAX: usize = 1 << 28;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct RepeaterSession {
    pub(super) stream: TcpStream,
    /// The start of a message whose rest has not arrived.
    pub(super) partial: Vec<u8>,
    /// Bytes for which the socket had no room.
    pending: Vec<u8>,
}

impl RepeaterSession {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, partial: Vec::new(), pending: Vec::new() }
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes what the socket takes and keeps the rest.
    ///
    /// # Errors
    /// An error when the session has ended.
    pub(super) fn send(&mut self, slices: &[IoSlice<'_>]) -> std::io::Result<()> {
        let mut sent = 0;
        if self.pending.is_empty() {
            let result = match slices {
                [one] => rustix::net::send(&self.stream, one, SendFlags::NOSIGNAL)
                    .map_err(std::io::Error::from),
                several => self.stream.write_vectored(several),
            };
            sent = match result {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
        }
        for slice in slices {
            let skipped = sent.min(slice.len());
            sent -= skipped;
            self.pending.extend_from_slice(&slice[skipped..]);
        }
        if self.pending.len() > PENDING_MAX { Err(ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// Writes the bytes that are left.
    ///
    /// # Errors
    /// An error when the session has ended.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        match self.stream.write(&self.pending) {
            Ok(sent) => drop(self.pending.drain(..sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
