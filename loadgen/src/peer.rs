//! Sessions with the server: the handshake, and publishers.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::tls::Tls;
use metalbond::wire::{Capabilities, Extensions, Hello, Message, Reassembly, Vni, WireError};

/// How long a server may take to answer one step of the handshake.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Connects and does the handshake, to the KEEPALIVE that ends it. The socket blocks.
///
/// # Errors
/// One sentence, when the server refuses or gives another answer.
pub(crate) fn connect(
    server: SocketAddr,
    tls: Option<&Tls>,
    keepalive: u32,
    node: &str,
) -> Result<TcpStream, String> {
    greet(server, tls, keepalive, node).map(|(stream, _)| stream)
}

/// The same as a client that knows no extensions.
///
/// # Errors
/// One sentence, as for [`connect`].
pub(crate) fn connect_plain(server: SocketAddr, keepalive: u32) -> Result<TcpStream, String> {
    established(Opening::with(server, dial(server, None, None), keepalive, None)?)
        .map(|(stream, _)| stream)
}

/// The relevant fields of a server's HELLO.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manners {
    /// Whether the server sends END_OF_TABLE.
    pub(crate) tells_tables: bool,
    /// The interval of KEEPALIVEs that the server asks for, in seconds.
    pub(crate) keepalive: u32,
}

/// The fields of a server's HELLO. Opens a session for it that ends at once.
///
/// # Errors
/// One sentence, as for [`connect`].
pub(crate) fn manners(
    server: SocketAddr,
    tls: Option<&Tls>,
    keepalive: u32,
) -> Result<Manners, String> {
    greet(server, tls, keepalive, "probe").map(|(_, manners)| manners)
}

/// As [`connect`]; also returns the fields of the server's HELLO.
fn greet(
    server: SocketAddr,
    tls: Option<&Tls>,
    keepalive: u32,
    node: &str,
) -> Result<(TcpStream, Manners), String> {
    let extensions = Some(extensions(node));
    established(Opening::with(server, dial(server, tls, None), keepalive, extensions)?)
}

fn extensions(node: &str) -> Extensions {
    let agent = concat!("metalbond-loadgen/", env!("CARGO_PKG_VERSION"));
    Extensions::new(Capabilities::OURS, agent, node)
}

/// Connects a socket, with a receive buffer of a given size if any, or over TLS.
fn dial(
    server: SocketAddr,
    tls: Option<&Tls>,
    receive_buffer: Option<usize>,
) -> std::io::Result<TcpStream> {
    let stream = match (tls, receive_buffer) {
        (Some(tls), _) => return tls.connect(server, ANSWER_TIME),
        (None, None) => TcpStream::connect(server)?,
        (None, Some(size)) => connect_small(server, size)?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn established(opening: Opening) -> Result<(TcpStream, Manners), String> {
    let Opening { mut stream, mut answers, server, manners } = opening.greeted(&[])?;
    answers.keepalive(&mut stream).map_err(|error| describe(server, &error))?;
    if answers.is_empty() {
        Ok((stream, manners))
    } else {
        Err(format!("{server} sent an unexpected message"))
    }
}

fn describe(server: SocketAddr, error: &std::io::Error) -> String {
    format!("session with {server}: {error}")
}

/// A session during its handshake, so that many can be opened at once.
#[derive(Debug)]
pub(crate) struct Opening {
    stream: TcpStream,
    answers: Answers,
    server: SocketAddr,
    /// Default values before the server's HELLO.
    manners: Manners,
}

impl Opening {
    /// Connects and sends HELLO. The socket may have a receive buffer of a given size.
    ///
    /// # Errors
    /// One sentence, when the server refuses.
    pub(crate) fn new(
        server: SocketAddr,
        keepalive: u32,
        node: &str,
        receive_buffer: Option<usize>,
    ) -> Result<Self, String> {
        let stream = dial(server, None, receive_buffer);
        Self::with(server, stream, keepalive, Some(extensions(node)))
    }

    fn with(
        server: SocketAddr,
        stream: std::io::Result<TcpStream>,
        keepalive: u32,
        extensions: Option<Extensions>,
    ) -> Result<Self, String> {
        let describe = |error| describe(server, &error);
        let mut stream = stream.map_err(describe)?;
        stream.set_read_timeout(Some(ANSWER_TIME)).map_err(describe)?;
        let hello = Hello { keepalive_interval: keepalive, is_server: false, extensions };
        send(&mut stream, &[Message::Hello(hello)]).map_err(describe)?;
        Ok(Self { stream, answers: Answers::default(), server, manners: Manners::default() })
    }

    /// Waits for the server's HELLO, answers with a KEEPALIVE, and sends `more` in the same write.
    /// The server's KEEPALIVE remains to be read.
    ///
    /// A server without extensions may drop messages that arrive before it has sent its KEEPALIVE: there
    /// `more` is sent after that.
    ///
    /// # Errors
    /// One sentence, when the server gives another answer.
    pub(crate) fn greeted(mut self, more: &[u8]) -> Result<Self, String> {
        let server = self.server;
        let describe = |error| describe(server, &error);
        let hello = match self.answers.next(&mut self.stream).map_err(describe)? {
            Message::Hello(hello) => hello,
            other => return Err(format!("{server} answered HELLO with {:?}", other.kind())),
        };
        let keepalive = hello.keepalive_interval;
        let capabilities = hello.extensions.map(|extensions| extensions.capabilities);
        let capabilities = capabilities.unwrap_or_default();
        let tells_tables = capabilities.contains(Capabilities::END_OF_TABLE);
        self.manners = Manners { tells_tables, keepalive };
        let mut bytes = Vec::with_capacity(more.len() + 4);
        Message::Keepalive.encode_into(&mut bytes);
        if !tells_tables && !more.is_empty() {
            self.stream.write_all(&bytes).map_err(describe)?;
            self.answers.keepalive(&mut self.stream).map_err(describe)?;
            bytes.clear();
        }
        bytes.extend_from_slice(more);
        self.stream.write_all(&bytes).map_err(describe)?;
        Ok(self)
    }

    /// The session, for a reader that ignores KEEPALIVEs.
    ///
    /// # Errors
    /// One sentence, when the server has sent a message too early.
    pub(crate) fn into_stream(self) -> Result<TcpStream, String> {
        if self.answers.is_empty() {
            Ok(self.stream)
        } else {
            Err(format!("{} sent an unexpected message", self.server))
        }
    }
}

/// Connects with a receive buffer of a given size, which must be set before the connection.
fn connect_small(server: SocketAddr, size: usize) -> std::io::Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
    let family = if server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, size)?;
    rustix::net::connect(&socket, &server)?;
    Ok(socket.into())
}

/// Subscribes to some VNIs.
///
/// # Errors
/// The socket's error.
pub(crate) fn subscribe(
    stream: &mut TcpStream,
    vnis: impl Iterator<Item = Vni>,
) -> std::io::Result<()> {
    send(stream, &vnis.map(Message::Subscribe).collect::<Vec<_>>())
}

/// Waits until a server that sends nothing else has read everything so far.
///
/// # Errors
/// The socket's error, or an error when the server sends another message.
pub(crate) fn barrier(stream: &mut TcpStream, patience: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(patience))?;
    send(stream, &[Message::Keepalive])?;
    Answers::default().keepalive(stream)
}

fn send(stream: &mut TcpStream, messages: &[Message]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for message in messages {
        message.encode_into(&mut bytes);
    }
    stream.write_all(&bytes)
}

/// The messages of a server, one by one.
#[derive(Debug, Default)]
struct Answers {
    input: Reassembly,
    unread: VecDeque<Message>,
}

impl Answers {
    /// Expects the answer to a KEEPALIVE.
    fn keepalive(&mut self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self.next(stream)? {
            Message::Keepalive => Ok(()),
            other => {
                let describe = format!("the server answered KEEPALIVE with {:?}", other.kind());
                Err(std::io::Error::new(ErrorKind::InvalidData, describe))
            }
        }
    }

    fn next(&mut self, stream: &mut TcpStream) -> std::io::Result<Message> {
        loop {
            if let Some(message) = self.unread.pop_front() {
                return Ok(message);
            }
            let mut buffer = [0; 4096];
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let unread = &mut self.unread;
            let taken = self.input.feed(&buffer[..n]).messages(|message| {
                unread.push_back(message);
                Ok::<_, WireError>(())
            });
            taken.map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// Whether the server has sent nothing but the expected answers.
    fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.input.kept() == 0
    }
}

/// A session that announces and subscribes to nothing. Dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Publisher {
    stream: TcpStream,
    answers: Answers,
    keepalive: Duration,
    kept_alive: Instant,
}

impl Publisher {
    /// # Errors
    /// One sentence.
    pub(crate) fn connect(
        server: SocketAddr,
        tls: Option<&Tls>,
        keepalive: u32,
        node: &str,
    ) -> Result<Self, String> {
        let stream = connect(server, tls, keepalive, node)?;
        let keepalive = Duration::from_secs(keepalive.into());
        let kept_alive = Instant::now();
        Ok(Self { stream, answers: Answers::default(), keepalive, kept_alive })
    }

    /// Sends whole messages. Waits while the server reads nothing.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn publish(&mut self, frames: &[u8]) -> Result<(), String> {
        self.stream.write_all(frames).map_err(|error| format!("publisher: {error}"))
    }

    /// Sends a KEEPALIVE if one is due. Call it only between calls of [`Publisher::publish`].
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        if self.kept_alive.elapsed() < self.keepalive {
            return Ok(());
        }
        self.kept_alive = Instant::now();
        let mut exchange = || {
            send(&mut self.stream, &[Message::Keepalive])?;
            self.stream.set_nonblocking(true)?;
            // Reads earlier answers: only the end of the session matters.
            let read = self.stream.read(&mut [0; 4096]);
            self.stream.set_nonblocking(false)?;
            match read {
                Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                _ => Ok(()),
            }
        };
        exchange().map_err(|error: std::io::Error| format!("publisher: {error}"))
    }

    /// The session, to be ended later.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Waits until the server has read everything so far: it answers a KEEPALIVE in its turn.
    /// Do not use it together with [`Publisher::tick`].
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn barrier(&mut self, patience: Duration) -> Result<(), String> {
        let mut exchange = || {
            self.stream.set_read_timeout(Some(patience))?;
            send(&mut self.stream, &[Message::Keepalive])?;
            self.answers.keepalive(&mut self.stream)
        };
        exchange().map_err(|error| format!("publisher: {error}"))
    }
}
