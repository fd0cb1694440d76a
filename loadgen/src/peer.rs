//! Sessions with the server: the handshake, and publishers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use metalbond::wire::{Capabilities, Extensions, Hello, Message, Vni, split};

/// How long a server may take to answer one step of the handshake.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Connects and does the handshake, to the KEEPALIVE that ends it. The socket blocks.
///
/// # Errors
/// One sentence, when the server refuses or answers something else.
pub(crate) fn connect(server: SocketAddr, keepalive: u32, node: &str) -> Result<TcpStream, String> {
    greet(server, keepalive, node).map(|(stream, _)| stream)
}

/// Whether a server says when a table is complete. Asks it, by a session that ends at once.
///
/// # Errors
/// One sentence, as for [`connect`].
pub(crate) fn tells_tables(server: SocketAddr, keepalive: u32) -> Result<bool, String> {
    let (_, hello) = greet(server, keepalive, "probe")?;
    let capabilities = hello.extensions.map(|extensions| extensions.capabilities);
    Ok(capabilities.unwrap_or_default().contains(Capabilities::END_OF_TABLE))
}

/// See [`connect`]; with the server's HELLO.
fn greet(server: SocketAddr, keepalive: u32, node: &str) -> Result<(TcpStream, Hello), String> {
    let told = |error: std::io::Error| format!("session with {server}: {error}");
    let mut stream = TcpStream::connect(server).map_err(told)?;
    stream.set_nodelay(true).map_err(told)?;
    stream.set_read_timeout(Some(ANSWER_TIME)).map_err(told)?;
    let capabilities = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    let agent = concat!("metalbond-loadgen/", env!("CARGO_PKG_VERSION"));
    let hello = Hello {
        keepalive_interval: keepalive,
        is_server: false,
        extensions: Some(Extensions::new(capabilities, agent, node)),
    };
    send(&mut stream, &[Message::Hello(hello)]).map_err(told)?;
    let mut answers = Answers::default();
    let hello = match answers.next(&mut stream).map_err(told)? {
        Message::Hello(hello) => hello,
        other => return Err(format!("{server} answered HELLO with {:?}", other.kind())),
    };
    send(&mut stream, &[Message::Keepalive]).map_err(told)?;
    match answers.next(&mut stream).map_err(told)? {
        Message::Keepalive => {}
        other => return Err(format!("{server} answered KEEPALIVE with {:?}", other.kind())),
    }
    if answers.unread.is_empty() {
        Ok((stream, hello))
    } else {
        Err(format!("{server} sent something that nobody asked for"))
    }
}

/// Asks for the routes of some VNIs.
///
/// # Errors
/// Whatever the socket says.
pub(crate) fn subscribe(
    stream: &mut TcpStream,
    vnis: impl Iterator<Item = Vni>,
) -> std::io::Result<()> {
    send(stream, &vnis.map(Message::Subscribe).collect::<Vec<_>>())
}

/// Waits until a server that has nothing else to say has read everything so far.
///
/// # Errors
/// Whatever the socket says, and when the server says something else.
pub(crate) fn barrier(stream: &mut TcpStream, patience: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(patience))?;
    send(stream, &[Message::Keepalive])?;
    match Answers::default().next(stream)? {
        Message::Keepalive => Ok(()),
        other => {
            let told = format!("the server answered KEEPALIVE with {:?}", other.kind());
            Err(std::io::Error::new(ErrorKind::InvalidData, told))
        }
    }
}

fn send(stream: &mut TcpStream, messages: &[Message]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for message in messages {
        message.encode_into(&mut bytes);
    }
    stream.write_all(&bytes)
}

/// Messages of a server, one by one.
#[derive(Debug, Default)]
struct Answers {
    unread: Vec<u8>,
}

impl Answers {
    fn next(&mut self, stream: &mut TcpStream) -> std::io::Result<Message> {
        let invalid = |error| std::io::Error::new(ErrorKind::InvalidData, error);
        loop {
            if let Some(frame) = split(&self.unread).map_err(invalid)? {
                let message = Message::decode(&frame).map_err(invalid)?;
                let len = frame.len();
                self.unread.drain(..len);
                return Ok(message);
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => self.unread.extend_from_slice(&buffer[..n]),
            }
        }
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
    pub(crate) fn connect(server: SocketAddr, keepalive: u32, node: &str) -> Result<Self, String> {
        let stream = connect(server, keepalive, node)?;
        let keepalive = Duration::from_secs(keepalive.into());
        let kept_alive = Instant::now();
        Ok(Self { stream, answers: Answers::default(), keepalive, kept_alive })
    }

    /// Sends whole messages. Waits for as long as the server takes nothing.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn publish(&mut self, frames: &[u8]) -> Result<(), String> {
        self.stream.write_all(frames).map_err(|error| format!("publisher: {error}"))
    }

    /// Sends a KEEPALIVE when it is time. Between calls of [`Publisher::publish`] only.
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
            // Earlier answers. They tell nothing that a failed send would not.
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

    /// Waits until the server has read everything so far: it answers a KEEPALIVE in its turn.
    /// Not to be mixed with [`Publisher::tick`].
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn barrier(&mut self, patience: Duration) -> Result<(), String> {
        let mut exchange = || {
            self.stream.set_read_timeout(Some(patience))?;
            send(&mut self.stream, &[Message::Keepalive])?;
            self.answers.next(&mut self.stream)
        };
        match exchange() {
            Ok(Message::Keepalive) => Ok(()),
            Ok(other) => Err(format!("a publisher was sent {:?}", other.kind())),
            Err(error) => Err(format!("publisher: {error}")),
        }
    }
}
