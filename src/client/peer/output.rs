//! The data to be written to one server, and the pace.
//!
//! A server that does not advertise STREAM is the reference implementation, which closes its session when it is sent
//! more than it reads. The leaf paces it as a reflector paces its clients (`docs/protocol.md`, "Pacing"). KEEPALIVEs do
//! not wait for the pace, and overtake all messages but HELLO: a server must not wait for them behind a table.

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
    /// The end of a message, not behind the first message end at or behind `written`.
    whole: usize,
    pacer: Option<Pacer>,
    /// Nothing is written before this.
    wait: Option<Moment>,
    /// Whether a byte was ever written.
    has_begun: bool,
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
            whole: 0,
            pacer: Some(Pacer::new(now, Pacing::default())),
            wait: None,
            has_begun: false,
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

    /// Adds a KEEPALIVE at the first place where it cuts no message.
    pub(super) fn push_keepalive(&mut self) {
        let at = self.next_end();
        let behind = self.bytes.split_off(at);
        self.push(&Message::Keepalive);
        // With HELLO before it, it waits for the pace as HELLO does.
        if at <= self.granted {
            self.granted += self.bytes.len() - at;
        }
        self.bytes.extend(behind);
    }

    /// The end of the message that is being written, or of HELLO if nothing is written yet.
    fn next_end(&mut self) -> usize {
        let least = self.written.max(usize::from(!self.has_begun));
        while self.whole < least
            && let Ok(Some(frame)) = split(&self.bytes[self.whole..])
        {
            self.whole += frame.len();
        }
        self.whole
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
                    self.has_begun |= count > 0;
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
        (self.written, self.granted, self.whole) = (0, 0, 0);
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
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::wire::{Hello, Vni};

    const HELLO: Message =
        Message::Hello(Hello { keepalive_interval: 5, is_server: false, extensions: None });

    fn messages(mut bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(frame) = split(bytes).unwrap() {
            messages.push(Message::decode(&frame).unwrap());
            bytes = &bytes[frame.len()..];
        }
        assert!(bytes.is_empty(), "a part of a message: {bytes:?}");
        messages
    }

    #[test]
    fn a_keepalive_overtakes_what_waits_but_hello_and_cuts_no_message() {
        let subscribe = |vni| Message::Subscribe(Vni(vni));
        let mut output = Output::new(Moment::default());
        output.push(&HELLO);
        output.push(&subscribe(1));
        output.push(&subscribe(2));
        output.push_keepalive();
        assert_eq!(messages(&output.bytes)[1..], [Message::Keepalive, subscribe(1), subscribe(2)]);
        assert_eq!(output.granted, 0);
        // All of this but the SUBSCRIBEs is written, and a byte of the first of them.
        let behind =
            2 * ends(&output.bytes).nth(3).unwrap() - 2 * ends(&output.bytes).nth(2).unwrap();
        output.written = output.bytes.len() - behind + 1;
        (output.has_begun, output.granted) = (true, output.bytes.len() - behind / 2);
        output.push_keepalive();
        let all = [Message::Keepalive, subscribe(1), Message::Keepalive, subscribe(2)];
        assert_eq!(messages(&output.bytes)[1..], all);
        assert_eq!(output.granted, output.bytes.len() - behind / 2, "it is granted");
    }

    #[tokio::test]
    async fn a_keepalive_does_not_wait_for_the_pace() {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        ours.writable().await.unwrap();
        let now = Moment::default();
        let mut output = Output::new(now);
        output.push(&HELLO);
        (0..20_000).for_each(|vni| output.push(&Message::Subscribe(Vni(vni))));
        while output.wait().is_none() {
            output.write(now, &ours).unwrap();
        }
        assert!(!output.is_empty());
        output.push_keepalive();
        output.write(now, &ours).unwrap();
        drop(ours);
        let mut bytes = Vec::new();
        theirs.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(messages(&bytes).last(), Some(&Message::Keepalive));
    }

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
