//! A server that repeats what it is sent and does nothing else: the limit of what is possible.
//!
//! One thread, one epoll. A session shakes hands and may subscribe; the first UPDATE makes it the
//! one publisher, and from there on what it sends goes out as it came, in reads of 64 KiB, to every
//! session that has subscribed to anything. There is no table and not even a look at the bytes: a
//! reflector that reflects as cheaply as this does its work for nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};

use metalbond::wire::{Capabilities, Extensions, Hello, Message, MessageType, split};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const READ_MAX: usize = 64 * 1024;
const EVENTS: usize = 1024;
/// The epoll datum that is no session.
const LISTENER: u64 = u64::MAX;

/// Flags of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
}

#[derive(Debug)]
struct Session {
    stream: TcpStream,
    /// What came in the handshake and is no whole message yet.
    unread: Vec<u8>,
    /// What the socket had no room for.
    pending: Vec<u8>,
    is_subscriber: bool,
}

/// See the module's documentation.
#[derive(Debug)]
struct Repeater {
    epoll: OwnedFd,
    sessions: Vec<Option<Session>>,
    publisher: Option<usize>,
}

/// Runs until it is killed.
///
/// # Errors
/// When it can't listen, or the epoll fails.
pub(crate) fn run(options: &Options) -> std::io::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let datum = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, datum, epoll::EventFlags::IN)?;
    eprintln!("repeater started listen={}", listener.local_addr()?);
    let mut repeater = Repeater { epoll, sessions: Vec::new(), publisher: None };
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; READ_MAX];
    loop {
        match epoll::wait(&repeater.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            let (datum, flags) = (event.data.u64(), event.flags);
            if datum == LISTENER {
                repeater.accept(&listener)?;
                continue;
            }
            let index = usize::try_from(datum).unwrap_or(usize::MAX);
            if flags.contains(epoll::EventFlags::OUT) {
                repeater.flush(index)?;
            }
            if flags.intersects(!epoll::EventFlags::OUT) {
                repeater.read(index, &mut buffer)?;
            }
        }
    }
}

impl Repeater {
    fn accept(&mut self, listener: &TcpListener) -> std::io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let datum = epoll::EventData::new_u64(self.sessions.len() as u64);
            epoll::add(&self.epoll, stream.as_fd(), datum, epoll::EventFlags::IN)?;
            self.sessions.push(Some(Session {
                stream,
                unread: Vec::new(),
                pending: Vec::new(),
                is_subscriber: false,
            }));
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> std::io::Result<()> {
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        let n = match session.stream.read(buffer) {
            Ok(0) => return self.close(index),
            Ok(n) => n,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => return Ok(()),
                _ => return self.close(index),
            },
        };
        if self.publisher == Some(index) {
            return self.repeat(&buffer[..n]);
        }
        session.unread.extend_from_slice(&buffer[..n]);
        let mut answers = Vec::new();
        let mut used = 0;
        let mut publishes = false;
        while let Ok(Some(frame)) = split(&session.unread[used..]) {
            match frame.kind {
                MessageType::Hello => {
                    let knows = Extensions::new(Capabilities::END_OF_TABLE, "repeater", "");
                    let extensions = Some(knows);
                    let hello = Hello { keepalive_interval: 5, is_server: true, extensions };
                    Message::Hello(hello).encode_into(&mut answers);
                }
                MessageType::Keepalive => Message::Keepalive.encode_into(&mut answers),
                MessageType::Subscribe => {
                    session.is_subscriber = true;
                    if let Ok(Message::Subscribe(vni)) = Message::decode(&frame) {
                        Message::EndOfTable(vni).encode_into(&mut answers);
                    }
                }
                MessageType::Update => {
                    publishes = true;
                    break;
                }
                MessageType::Unsubscribe | MessageType::EndOfTable => {}
            }
            used += frame.len();
        }
        session.unread.drain(..used);
        if !answers.is_empty() {
            self.send(index, &answers)?;
        }
        if publishes {
            // Two streams of bytes could not be interleaved without looking for messages in them.
            if self.publisher.replace(index).is_some() {
                return Err(std::io::Error::other("takes one publisher only"));
            }
            let first = self.sessions[index].as_mut().map(|session| session.unread.split_off(0));
            return self.repeat(&first.unwrap_or_default());
        }
        Ok(())
    }

    fn repeat(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        for index in 0..self.sessions.len() {
            if self.sessions[index].as_ref().is_some_and(|session| session.is_subscriber) {
                self.send(index, bytes)?;
            }
        }
        Ok(())
    }

    /// Writes what the socket takes and keeps the rest.
    fn send(&mut self, index: usize, bytes: &[u8]) -> std::io::Result<()> {
        let Some(session) = &mut self.sessions[index] else { return Ok(()) };
        if !session.pending.is_empty() {
            session.pending.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = match session.stream.write(bytes) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return self.close(index),
        };
        if sent < bytes.len() {
            session.pending.extend_from_slice(&bytes[sent..]);
            return self.watch(index, epoll::EventFlags::IN | epoll::EventFlags::OUT);
        }
        Ok(())
    }

    fn flush(&mut self, index: usize) -> std::io::Result<()> {
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        match session.stream.write(&session.pending) {
            Ok(n) => drop(session.pending.drain(..n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return self.close(index),
        }
        if session.pending.is_empty() {
            return self.watch(index, epoll::EventFlags::IN);
        }
        Ok(())
    }

    fn watch(&self, index: usize, flags: epoll::EventFlags) -> std::io::Result<()> {
        let Some(session) = &self.sessions[index] else { return Ok(()) };
        let datum = epoll::EventData::new_u64(index as u64);
        Ok(epoll::modify(&self.epoll, session.stream.as_fd(), datum, flags)?)
    }

    fn close(&mut self, index: usize) -> std::io::Result<()> {
        if let Some(session) = self.sessions[index].take() {
            epoll::delete(&self.epoll, session.stream.as_fd())?;
        }
        if self.publisher == Some(index) {
            self.publisher = None;
        }
        Ok(())
    }
}
