//! The data to be written to one server, and the pace.
//!
//! A server that does not advertise STREAM is the reference implementation, which closes its session when it is sent
//! more than it reads. The leaf paces it as a reflector paces its clients (`docs/protocol.md`, "Pacing").

use std::io;

use tokio::net::TcpStream;

use crate::ids::Moment;
use crate::io::{tcp_info, try_send};
use crate::session::{Allowance, Pacer, Pacing, Path};
use crate::wire::{Message, split};

/// Waiting bytes, and the pace of writing them.
#[derive(Debug)]
pub(super) struct Output {
    bytes: Vec<u8>,
    /// How many bytes of `bytes` are written.
    written: usize,
    /// The end of the current piece: bytes before it may go without asking the pacer.
    granted: usize,
    pacer: Option<Pacer>,
    /// Nothing is written before this.
    wait: Option<Moment>,
    /// Whether large packets reach the server.
    path: Path,
}

impl Output {
    /// Paced until it is known how the server reads.
    pub(super) fn new(now: Moment) -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            granted: 0,
            pacer: Some(Pacer::new(now, Pacing::default())),
            wait: None,
            path: Path::default(),
        }
    }

    /// The server reads a byte stream: writes as fast as it reads.
    pub(super) fn unpaced(&mut self) {
        (self.pacer, self.wait) = (None, None);
    }

    pub(super) fn push(&mut self, message: &Message) {
        message.encode_into(&mut self.bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// When to write again, if the pacer asks to wait.
    pub(super) fn wait(&self) -> Option<Moment> {
        self.wait
    }

    /// Writes as much as the pacer allows and the socket takes.
    pub(super) fn write(&mut self, now: Moment, socket: &TcpStream) -> io::Result<()> {
        self.wait = None;
        while self.written < self.bytes.len() {
            if self.granted == self.written && !self.grant(now, socket) {
                return Ok(());
            }
            let piece = &self.bytes[self.written..self.granted];
            self.path.before_write(now, piece.len(), || tcp_info(socket));
            match try_send(socket, piece, self.pacer.is_some()) {
                Ok(count) => {
                    self.written += count;
                    if let Some(pacer) = &mut self.pacer {
                        pacer.sent(count);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        (self.written, self.granted) = (0, 0);
        Ok(())
    }

    /// Whether large packets do not reach the server: for a while, no byte sent since the handshake has been
    /// acknowledged.
    pub(super) fn is_swallowed(&mut self, now: Moment, socket: &TcpStream) -> bool {
        if let Some(tcp_info) = tcp_info(socket).filter(|_| self.path.is_open()) {
            self.path.look(now, &tcp_info, None);
        }
        self.path.swallows()
    }

    /// Extends the granted piece; `false` when nothing may be written before [`Self::wait`].
    fn grant(&mut self, now: Moment, socket: &TcpStream) -> bool {
        let Some(pacer) = &mut self.pacer else {
            self.granted = self.bytes.len();
            return true;
        };
        match pacer.allow(now, &mut || tcp_info(socket)) {
            Allowance::Send(cut) => {
                self.granted += cut.choose(ends(&self.bytes[self.written..]));
                true
            }
            Allowance::WaitUntil(moment) => {
                self.wait = Some(moment);
                false
            }
        }
    }
}

/// The ends of the whole messages in `bytes`.
fn ends(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    std::iter::from_fn(move || {
        end += split(&bytes[end..]).ok()??.len();
        Some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Vni;

    #[test]
    fn pieces_end_where_messages_do() {
        let mut bytes = Vec::new();
        for vni in 1..4 {
            Message::Subscribe(Vni(vni)).encode_into(&mut bytes);
        }
        let one = bytes.len() / 3;
        assert!(ends(&bytes).eq([one, 2 * one, 3 * one]));
        assert!(ends(&bytes[..3 * one - 1]).eq([one, 2 * one]));
    }
}
