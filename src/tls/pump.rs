//! Carries bytes between a TLS connection and one end of a socket pair.
//!
//! State: what rustls holds, which is at most one read of either side. A side is read only while the other takes
//! what was read before, so that a peer that takes nothing fills the socket pair, and its owner sees that.
//! A read goes into a buffer that all pumps of a thread share, so an idle connection holds none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, BufRead as _, Write as _};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use rustls::Connection;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::TlsFault;
use super::handshake::Socket;

/// The most bytes taken from the owner at once: four records.
const READ_MAX: usize = 64 * 1024;
/// The send buffer of each end of a pair. The kernel doubles this for its own overhead.
const PAIR_BUFFER: usize = 128 * 1024;
/// How long the rest may take to go out when the owner is gone.
const FAREWELL: Duration = Duration::from_secs(5);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
}

/// A socket pair with little room: the first end is for the owner, the second for a [`Pump`].
///
/// # Errors
/// The error when no descriptor is left.
pub(crate) fn pair() -> io::Result<(std::os::unix::net::UnixStream, std::os::unix::net::UnixStream)>
{
    let (owner, pump) = std::os::unix::net::UnixStream::pair()?;
    for end in [&owner, &pump] {
        end.set_nonblocking(true)?;
        socket2::SockRef::from(end).set_send_buffer_size(PAIR_BUFFER)?;
    }
    Ok((owner, pump))
}

/// The owner's handle of its pump: tells why the pump ended; dropping it tells the pump to end soon.
#[derive(Debug)]
pub(crate) struct Ending {
    fault: Arc<OnceLock<TlsFault>>,
    _owner: oneshot::Sender<()>,
}

impl Ending {
    /// Why the connection ended; `None` if TLS closed it properly.
    pub(crate) fn fault(&self) -> Option<TlsFault> {
        self.fault.get().cloned()
    }
}

/// A pump's half of its [`Ending`].
#[derive(Debug)]
pub(crate) struct Link {
    fault: Arc<OnceLock<TlsFault>>,
    /// Resolves when the owner is gone.
    owner: oneshot::Receiver<()>,
}

impl Link {
    pub(crate) fn new() -> (Self, Ending) {
        let fault = Arc::new(OnceLock::new());
        let (alive, owner) = oneshot::channel();
        let ending = Ending { fault: Arc::clone(&fault), _owner: alive };
        (Self { fault, owner }, ending)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Pump {
    tcp: TcpStream,
    tls: Connection,
    inner: UnixStream,
    link: Link,
    /// Whether the peer has announced that it sends no more.
    peer_ended: bool,
    /// Whether the owner sends no more, and the peer has been told.
    owner_ended: bool,
    /// The time at which both directions end.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// The sockets that a pump waits for.
#[derive(Debug, Default)]
struct Waits {
    tcp_read: bool,
    tcp_write: bool,
    inner_read: bool,
    inner_write: bool,
}

impl Pump {
    /// A pump between a connection after its handshake and the second end of a [`pair`]. Must be called in a runtime.
    ///
    /// # Errors
    /// The error of watching the socket.
    pub(crate) fn new(
        tcp: TcpStream,
        mut tls: Connection,
        inner: std::os::unix::net::UnixStream,
        link: Link,
    ) -> io::Result<Self> {
        // One read from the owner bounds the buffer.
        tls.set_buffer_limit(None);
        crate::io::bound_backlog(&tcp)?;
        let inner = UnixStream::from_std(inner)?;
        let (peer_ended, owner_ended, deadline) = (false, false, None);
        Ok(Self { tcp, tls, inner, link, peer_ended, owner_ended, deadline })
    }

    /// Runs until both directions have ended, one has failed, or the owner is gone and [`FAREWELL`] is over.
    pub(crate) async fn run(mut self) {
        if let Err(fault) = self.carry().await {
            // Set before the owner's end sees the end of the connection.
            self.link.fault.set(fault).ok();
        }
    }

    async fn carry(&mut self) -> Result<(), TlsFault> {
        loop {
            let mut waits = Waits::default();
            self.send(&mut waits)?;
            self.receive(&mut waits)?;
            if self.owner_ended && !waits.tcp_write {
                if self.peer_ended {
                    return Ok(());
                }
                // Closing with unread bytes would reset the connection, and sent bytes would be lost.
                crate::io::shut_down_writes(&self.tcp);
            }
            if !self.wait(&waits).await {
                return Ok(());
            }
        }
    }

    /// Sends from the owner to the peer, as much as there is and the peer takes now.
    fn send(&mut self, waits: &mut Waits) -> Result<(), TlsFault> {
        if !self.tls.wants_write() && !self.owner_ended {
            let read = BUFFER.with_borrow_mut(|buffer| {
                let count = self.inner.try_read(buffer)?;
                self.tls.writer().write_all(&buffer[..count])?;
                Ok::<_, io::Error>(count)
            });
            match read {
                Ok(0) => self.end_of_owner(),
                // The owner's end may be reset because it closed with unread bytes.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.end_of_owner(),
                Err(error) if is_passing(&error) => {}
                result => drop(result?),
            }
        }
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Socket(&self.tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waits.tcp_write = true;
                    return Ok(());
                }
                result => drop(result?),
            }
        }
        waits.inner_read = !self.owner_ended;
        Ok(())
    }

    fn end_of_owner(&mut self) {
        self.owner_ended = true;
        self.tls.send_close_notify();
        self.hurry();
    }

    /// Receives from the peer for the owner, as much as there is and the owner takes now.
    fn receive(&mut self, waits: &mut Waits) -> Result<(), TlsFault> {
        if !self.deliver()? {
            waits.inner_write = true;
            return Ok(());
        }
        if self.peer_ended {
            return Ok(());
        }
        match self.tls.read_tls(&mut Socket(&self.tcp)) {
            Ok(0) if self.owner_ended => {
                self.peer_ended = true;
                return Ok(());
            }
            Ok(0) => return Err(TlsFault::Truncated),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                waits.tcp_read = true;
                return Ok(());
            }
            result => drop(result?),
        }
        let state = match self.tls.process_new_packets() {
            Ok(state) => state,
            Err(error) => {
                // The alert tells the peer the fault.
                self.tls.write_tls(&mut Socket(&self.tcp)).ok();
                return Err(error.into());
            }
        };
        if !self.deliver()? {
            waits.inner_write = true;
        } else if state.peer_has_closed() {
            self.peer_ended = true;
            crate::io::shut_down_writes(&self.inner);
        } else {
            waits.tcp_read = true;
        }
        Ok(())
    }

    /// Gives the owner the decrypted bytes; `false` when it does not take all.
    fn deliver(&mut self) -> Result<bool, TlsFault> {
        loop {
            let mut reader = self.tls.reader();
            let bytes = match reader.fill_buf() {
                Ok([]) => return Ok(true),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            };
            if self.owner_ended {
                // The owner reads no more; the bytes it has sent still go out.
                let count = bytes.len();
                reader.consume(count);
                continue;
            }
            match self.inner.try_write(bytes) {
                Ok(count) => reader.consume(count),
                Err(error) if is_passing(&error) => return Ok(false),
                // The owner has closed its end, but bytes that it sent before may still be there.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    let count = bytes.len();
                    reader.consume(count);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sets the time at which both directions end.
    fn hurry(&mut self) {
        self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(FAREWELL)));
    }

    /// Waits for one of the sockets; `false` when time is up.
    async fn wait(&mut self, waits: &Waits) -> bool {
        let woken = poll_fn(|cx| {
            let (is_up, woken) = match &mut self.deadline {
                None => (Pin::new(&mut self.link.owner).poll(cx).is_ready(), Woken::OwnerIsGone),
                Some(deadline) => (deadline.as_mut().poll(cx).is_ready(), Woken::TimeIsUp),
            };
            if is_up {
                return Poll::Ready(woken);
            }
            let is_ready = (waits.tcp_read && self.tcp.poll_read_ready(cx).is_ready())
                || (waits.tcp_write && self.tcp.poll_write_ready(cx).is_ready())
                || (waits.inner_read && self.inner.poll_read_ready(cx).is_ready())
                || (waits.inner_write && self.inner.poll_write_ready(cx).is_ready());
            if is_ready { Poll::Ready(Woken::Ready) } else { Poll::Pending }
        })
        .await;
        if woken == Woken::OwnerIsGone {
            self.hurry();
        }
        woken != Woken::TimeIsUp
    }
}

/// The event that ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Woken {
    Ready,
    OwnerIsGone,
    TimeIsUp,
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
