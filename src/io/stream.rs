//! A TCP connection of one shard, the same on both backends.
//!
//! Owns the descriptor. **One task waits for bytes and one task sends**, which may be the same,
//! **never two of a kind at once** (the second would take the first's place in the queue of one).
//! Bounds: at most two operations in flight, no memory beyond the buffer being sent.
//!
//! It holds back nothing, splits and joins nothing and knows no deadline. To end what is pending,
//! call [`Stream::shutdown`]; to give up a connection, drop it.

use std::future::poll_fn;
use std::io;
use std::net::TcpStream;
use std::task::{Context, Poll};

use super::backlog::bound_backlog;
use super::tls_records::Records;
use super::{Backend, OutBuf, Sending, Spare, TcpInfo, epoll, low_water, tcp_info, uring};

/// A TCP connection. It belongs to the thread and the [`LocalRuntime`](super::LocalRuntime) in which it was made.
#[derive(Debug)]
pub struct Stream {
    inner: Inner,
    /// The state of TLS, if the kernel does it.
    tls: Option<Records>,
}

#[derive(Debug)]
enum Inner {
    Epoll(epoll::EpollStream),
    Uring(uring::UringStream),
}

impl Stream {
    /// Takes over a connected socket, and makes it non-blocking, without Nagle's delay, and with a bound on the bytes
    /// that wait in the kernel. The socket may also be one end of a socket pair; its creator sets that bound.
    ///
    /// # Errors
    ///
    /// The kernel's error if it refuses a socket option.
    ///
    /// # Panics
    ///
    /// Outside a `LocalRuntime`. In a `LocalRuntime` of the other backend, later operations panic.
    pub fn from_std(backend: Backend, socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let is_tcp = !socket2::SockRef::from(&socket).local_addr()?.is_unix();
        if is_tcp {
            socket.set_nodelay(true)?;
            bound_backlog(&socket)?;
        }
        let tls = is_tcp.then(|| Records::of(&socket)).flatten();
        let inner = match backend {
            Backend::Epoll => Inner::Epoll(epoll::EpollStream::new(socket)?),
            Backend::Uring => Inner::Uring(uring::UringStream::new(socket)?),
        };
        Ok(Self { inner, tls })
    }

    /// Waits until [`Self::try_read`] is likely to find bytes, the end of the stream or an error. It needs no buffer.
    /// It may return too early, never too late. You may drop the future.
    ///
    /// # Errors
    ///
    /// If the wait itself fails, or the connection is broken. Bytes that arrived before that stay unread.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// Like [`Self::readable`], for a task that also waits for other events.
    ///
    /// # Errors
    ///
    /// As [`Self::readable`].
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = match &self.inner {
            Inner::Epoll(stream) => stream.poll_readable(cx),
            Inner::Uring(stream) => stream.poll_readable(cx),
        };
        ready.map_err(|error| self.failed(error))
    }

    /// The meaning of a socket's error, if the kernel does its TLS.
    fn failed(&self, error: io::Error) -> io::Error {
        match &self.tls {
            None => error,
            Some(tls) => tls.failed(error),
        }
    }

    /// Checks whether the connection is broken, for a task that reads without waiting.
    ///
    /// # Errors
    ///
    /// The error that broke the connection, once.
    pub fn check(&self) -> io::Result<()> {
        let error = match &self.inner {
            Inner::Epoll(stream) => stream.socket().take_error(),
            Inner::Uring(stream) => stream.socket().take_error(),
        };
        error?.map_or(Ok(()), |error| Err(self.failed(error)))
    }

    /// Reads the bytes that have arrived, and returns their number; 0 means the end of the stream (or an empty
    /// `buffer`). If the kernel does the TLS of this connection, 0 means an end that the peer has announced.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no byte has arrived; otherwise the error that broke the connection.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match &self.inner {
            Inner::Epoll(stream) => stream.try_read(buffer),
            Inner::Uring(stream) => stream.try_read(buffer),
        };
        self.judged(result)
    }

    /// The meaning of a read's result.
    fn judged(&self, result: io::Result<usize>) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return result };
        match &self.inner {
            Inner::Epoll(stream) => tls.read(stream.socket(), result),
            Inner::Uring(stream) => {
                let result = tls.read(stream.socket(), result);
                // Tokio waits for the next bytes, the ring for bytes that are there.
                if result.as_ref().is_err_and(|it| it.kind() == io::ErrorKind::WouldBlock) {
                    tls.wait_for_rest(stream.socket());
                }
                result
            }
        }
    }

    /// Notes that the last read did not fill its buffer, so it took all bytes. The next wait is then for later bytes;
    /// without this call it may return at once, and the read after it finds nothing.
    pub fn note_drained(&self) {
        if self.tls.is_some() {
            return; // a read ends before a record of another kind, and one may be there
        }
        match &self.inner {
            Inner::Epoll(stream) => stream.note_drained(),
            Inner::Uring(_) => {} // asks the kernel at each wait
        }
    }

    /// Sends `buffer[from..]` with one operation, and returns the number of bytes that the kernel has taken, which may
    /// be a part. Waits while the kernel takes nothing. Returns the buffer in any case.
    ///
    /// With `eor`, no later byte shares a TCP segment with the last of these bytes, if the kernel takes them all at
    /// once (`MSG_EOR`, Linux).
    ///
    /// You may drop the future, but then it is not known whether the bytes were sent: the stream can only be shut down.
    pub async fn send(
        &self,
        buffer: OutBuf,
        from: usize,
        eor: bool,
    ) -> (io::Result<usize>, OutBuf) {
        let mut sending = Sending::new(buffer, from, eor);
        let result = poll_fn(|cx| self.poll_send(cx, &mut sending)).await;
        (result, sending.into_buffer().unwrap_or_else(|| Vec::new().into()))
    }

    /// Continues a write by one operation: waits until the kernel takes bytes, and returns their number. The remaining
    /// bytes need another call. Returns 0 if no byte was left.
    ///
    /// With epoll the operation is over at once if the kernel has room. With io_uring it is submitted with others, and
    /// `cx` is woken when it is over. You may drop a `Sending` with an operation in flight, like the future of
    /// [`Self::send`].
    ///
    /// # Errors
    ///
    /// The error that broke the connection.
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
    ) -> Poll<io::Result<usize>> {
        if self.tls.is_some() {
            sending.eor = false; // a record has an end anyway, and older kernels refuse the flag
        }
        match &self.inner {
            Inner::Epoll(stream) => stream.poll_send(cx, sending),
            Inner::Uring(stream) => stream.poll_send(cx, sending),
        }
    }

    /// The state of the sending side; `None` where the kernel does not report it.
    #[must_use]
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        match &self.inner {
            Inner::Epoll(stream) => tcp_info::read(stream.socket()),
            Inner::Uring(stream) => tcp_info::read(stream.socket()),
        }
    }

    /// The time since the last packet of the peer's kernel; `None` if the kernel here does not report it.
    #[must_use]
    pub fn heard(&self) -> Option<std::time::Duration> {
        match &self.inner {
            Inner::Epoll(stream) => tcp_info::heard(stream.socket()),
            Inner::Uring(stream) => tcp_info::heard(stream.socket()),
        }
    }

    /// Reads the bytes that have arrived, even fewer than [`Self::set_low_water`] asks for, without a wait before. A
    /// wait that is in progress may find nothing afterwards.
    ///
    /// # Errors
    ///
    /// As [`Self::try_read`].
    pub fn fetch(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match &self.inner {
            Inner::Epoll(stream) => stream.fetch(buffer),
            Inner::Uring(stream) => stream.try_read(buffer),
        };
        self.judged(result)
    }

    /// Sets the number of bytes from which on [`Self::readable`] returns; at first 1. It also returns at the end of the
    /// stream and for errors. After a lower number, a wait returns for bytes that have arrived already. If the kernel
    /// does the TLS of this connection, the number is that of the data in one record.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel cannot do this; the number stays 1.
    pub fn set_low_water(&self, bytes: usize) -> io::Result<()> {
        let bytes = self.tls.as_ref().map_or(bytes, |tls| tls.low_water(bytes));
        match &self.inner {
            Inner::Epoll(stream) => low_water::set(stream.socket(), bytes),
            Inner::Uring(stream) => low_water::set(stream.socket(), bytes),
        }
    }

    /// A socket of the same connection, from which another thread can make a [`Stream`]. Afterwards only drop this
    /// stream: that ends its waits and leaves the connection alone. Call this only while no write is in flight.
    /// `with_others` says that all connections of the thread leave: then waits are not cancelled one by one, and each
    /// holds a descriptor until the peer sends something or the event loop ends.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left, and `spare` has none. Nothing has changed then.
    pub fn detach(&self, with_others: bool, spare: &mut Spare) -> io::Result<TcpStream> {
        match &self.inner {
            Inner::Epoll(stream) => stream.detach(spare),
            Inner::Uring(stream) => stream.detach(with_others, spare),
        }
    }

    /// Ends all waits of the thread that still hold descriptors of detached streams. Streams that are not detached may
    /// wait again.
    pub fn end_waits(&self) {
        match &self.inner {
            Inner::Epoll(_) => {} // no wait holds a descriptor
            Inner::Uring(stream) => stream.end_waits(),
        }
    }

    /// Closes both directions: waits end with the end of the stream or an error, and the peer sees the end of the
    /// stream after the bytes that were sent. The descriptor stays open until the stream is dropped.
    pub fn shutdown(&self) {
        match &self.inner {
            Inner::Epoll(stream) => {
                if let Some(tls) = &self.tls {
                    tls.close(stream.socket());
                }
                stream.shutdown();
            }
            Inner::Uring(stream) => {
                if let Some(tls) = &self.tls {
                    tls.close(stream.socket());
                }
                stream.shutdown();
            }
        }
    }
}
