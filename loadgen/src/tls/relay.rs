//! A thread that carries bytes between connections over TLS and the socket pairs of their sessions.
//!
//! One side of a connection is read only while the other takes what came before, so that a session that reads nothing
//! is a peer that reads nothing.

use std::io::{self, BufRead as _, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustls::ClientConnection;

use crate::live;

/// The most bytes of a session taken at once.
const READ_MAX: usize = 64 * 1024;
/// The most reads of one connection in its turn.
const READS_MAX: usize = 8;
const EVENTS: usize = 256;
/// The epoll datum that stands for news, and not for a connection.
const NEWS: u64 = u64::MAX;

/// See the module's documentation. Its thread ends with the process.
#[derive(Debug)]
pub(super) struct Relay {
    news: Arc<OwnedFd>,
    connections: mpsc::Sender<Box<Connection>>,
}

impl Relay {
    /// # Errors
    /// An error when no descriptor or thread is left.
    pub(super) fn start() -> io::Result<Self> {
        let news = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (connections, arriving) = mpsc::channel();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &news, EventData::new_u64(NEWS), EventFlags::IN)?;
        let thread = Thread {
            news: Arc::clone(&news),
            arriving,
            epoll,
            connections: Vec::new(),
            buffer: vec![0; READ_MAX],
        };
        std::thread::Builder::new().name("tls".into()).spawn(|| thread.run())?;
        Ok(Self { news, connections })
    }

    /// Takes a connection after its handshake; returns the session's end of it.
    ///
    /// # Errors
    /// An error when no descriptor is left.
    pub(super) fn carry(&self, tcp: TcpStream, tls: ClientConnection) -> io::Result<TcpStream> {
        let (session, inner) = UnixStream::pair()?;
        inner.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let connection = Connection {
            tcp,
            tls,
            inner,
            session_ended: false,
            peer_ended: false,
            waits: None,
            is_watched: false,
        };
        self.connections.send(Box::new(connection)).map_err(io::Error::other)?;
        rustix::io::write(&self.news, &1u64.to_ne_bytes())?;
        // Sessions are read and written by calls that work on any stream socket.
        Ok(OwnedFd::from(session).into())
    }
}

struct Thread {
    news: Arc<OwnedFd>,
    arriving: mpsc::Receiver<Box<Connection>>,
    epoll: OwnedFd,
    /// By the numbers of their events; `None` for an ended connection.
    connections: Vec<Option<Box<Connection>>>,
    buffer: Vec<u8>,
}

impl Thread {
    fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                // Sessions end with their connections, which their owners notice.
                Err(_) => return,
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    NEWS => self.take_news(),
                    number => self.turn(usize::try_from(number / 2).unwrap_or(usize::MAX)),
                }
            }
        }
    }

    fn take_news(&mut self) {
        rustix::io::read(&self.news, &mut [0u8; 8]).ok(); // an error means that it was read before
        while let Ok(connection) = self.arriving.try_recv() {
            self.connections.push(Some(connection));
            self.turn(self.connections.len() - 1);
        }
    }

    /// Carries bytes both ways; drops a connection that has ended or failed, which its session notices.
    fn turn(&mut self, number: usize) {
        let Some(slot) = self.connections.get_mut(number) else { return };
        let Some(connection) = slot else { return };
        let waits = connection.carry(&mut self.buffer);
        match waits.and_then(|it| connection.wait(&self.epoll, number as u64, it)) {
            Ok(true) => {}
            Ok(false) => *slot = None,
            // The server has ended it, which the session notices.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => *slot = None,
            Err(error) => {
                live::say(&format!("loadgen: a session over TLS failed: {error}"));
                *slot = None;
            }
        }
    }
}

/// The events that each socket waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waits {
    tcp: EventFlags,
    inner: EventFlags,
}

#[derive(Debug)]
struct Connection {
    tcp: TcpStream,
    tls: ClientConnection,
    /// The relay's end of the pair.
    inner: UnixStream,
    /// Whether the session has stopped sending.
    session_ended: bool,
    /// Whether the server has stopped sending.
    peer_ended: bool,
    /// `None` while it is in no epoll.
    waits: Option<Waits>,
    /// Whether the session's side is in the epoll.
    is_watched: bool,
}

impl Connection {
    /// Carries bytes both ways, as much as there is and both sides take now.
    fn carry(&mut self, buffer: &mut [u8]) -> io::Result<Waits> {
        let mut waits = Waits { tcp: EventFlags::empty(), inner: EventFlags::empty() };
        self.send(buffer, &mut waits)?;
        self.receive(&mut waits)?;
        // Answers to the server's requests of TLS, such as new keys.
        self.flush(&mut waits)?;
        Ok(waits)
    }

    fn send(&mut self, buffer: &mut [u8], waits: &mut Waits) -> io::Result<()> {
        if !self.tls.wants_write() && !self.session_ended {
            match self.inner.read(buffer) {
                Ok(0) => {
                    self.session_ended = true;
                    self.tls.send_close_notify();
                }
                Ok(count) => self.tls.writer().write_all(&buffer[..count])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if self.flush(waits)? {
            if self.session_ended {
                self.tcp.shutdown(Shutdown::Write).ok(); // an error means that it was reset
            } else {
                waits.inner |= EventFlags::IN;
            }
        }
        Ok(())
    }

    /// Whether all bytes have been written.
    fn flush(&mut self, waits: &mut Waits) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    waits.tcp |= EventFlags::OUT;
                    return Ok(false);
                }
                result => drop(result?),
            }
        }
        Ok(true)
    }

    fn receive(&mut self, waits: &mut Waits) -> io::Result<()> {
        for _ in 0..READS_MAX {
            if !self.deliver()? {
                waits.inner |= EventFlags::OUT;
                return Ok(());
            }
            if self.peer_ended {
                return Ok(());
            }
            match self.tls.read_tls(&mut self.tcp) {
                Ok(0) => self.peer_ended = true,
                Ok(_) => {
                    self.tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    waits.tcp |= EventFlags::IN;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        // The connection continues when others have had their turn.
        match self.deliver()? {
            true => waits.tcp |= EventFlags::IN,
            false => waits.inner |= EventFlags::OUT,
        }
        Ok(())
    }

    /// Gives the session the decrypted bytes; `false` when it does not take all.
    fn deliver(&mut self) -> io::Result<bool> {
        loop {
            let mut reader = self.tls.reader();
            let bytes = match reader.fill_buf() {
                Ok([]) => return Ok(true),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            // An ended session reads no more; its last bytes still go out.
            let count = match (&self.inner).write(bytes) {
                Ok(count) => count,
                Err(_) if self.session_ended => bytes.len(),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => bytes.len(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            };
            reader.consume(count);
        }
    }

    /// Updates the epoll; `false` when there is nothing left to wait for.
    fn wait(&mut self, epoll: &OwnedFd, number: u64, waits: Waits) -> io::Result<bool> {
        if self.peer_ended && !waits.inner.contains(EventFlags::OUT) {
            return Ok(false);
        }
        let (tcp, inner) = (EventData::new_u64(2 * number), EventData::new_u64(2 * number + 1));
        match self.waits {
            Some(before) if before == waits => {}
            None => {
                epoll::add(epoll, &self.tcp, tcp, waits.tcp)?;
                epoll::add(epoll, &self.inner, inner, waits.inner)?;
                self.is_watched = true;
            }
            Some(_) => {
                epoll::modify(epoll, &self.tcp, tcp, waits.tcp)?;
                if self.is_watched {
                    epoll::modify(epoll, &self.inner, inner, waits.inner)?;
                }
            }
        }
        if self.session_ended && self.is_watched {
            // The epoll would report the closed end over and over, whatever is waited for.
            epoll::delete(epoll, &self.inner)?;
            self.is_watched = false;
        }
        self.waits = Some(waits);
        Ok(true)
    }
}
