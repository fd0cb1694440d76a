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
use super::{Backend, OutBuf, Sending, TcpInfo, epoll, low_water, tcp_info, uring};

/// A TCP connection, bound to the thread and the [`LocalRuntime`](super::LocalRuntime) it was
/// made in.
#[derive(Debug)]
pub struct Stream(Inner);

#[derive(Debug)]
enum Inner {
    Epoll(epoll::EpollStream),
    Uring(uring::UringStream),
}

impl Stream {
    /// Takes a connected socket over: non-blocking, without Nagle's delay, with a bounded backlog
    /// in the kernel. It may be one end of a socket pair instead, whose maker has bounded it.
    ///
    /// # Errors
    ///
    /// What the kernel says to the socket options.
    ///
    /// # Panics
    ///
    /// Outside a `LocalRuntime`; operations later panic in one of the other backend.
    pub fn from_std(backend: Backend, socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        if !socket2::SockRef::from(&socket).local_addr()?.is_unix() {
            socket.set_nodelay(true)?;
            bound_backlog(&socket)?;
        }
        Ok(Self(match backend {
            Backend::Epoll => Inner::Epoll(epoll::EpollStream::new(socket)?),
            Backend::Uring => Inner::Uring(uring::UringStream::new(socket)?),
        }))
    }

    /// Waits until [`Self::try_read`] is likely to find bytes, the end or an error. It pins no
    /// buffer. It may return too early, never too late; dropping the future is fine.
    ///
    /// # Errors
    ///
    /// When the wait itself fails, or the connection is broken: what came before it broke stays unread.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// [`Self::readable`] for a task that waits for other things as well.
    ///
    /// # Errors
    ///
    /// As [`Self::readable`].
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Inner::Epoll(stream) => stream.poll_readable(cx),
            Inner::Uring(stream) => stream.poll_readable(cx),
        }
    }

    /// Whether the connection is broken, for a read that is not waited for.
    ///
    /// # Errors
    ///
    /// What broke it, once.
    pub fn check(&self) -> io::Result<()> {
        let error = match &self.0 {
            Inner::Epoll(stream) => stream.socket().take_error(),
            Inner::Uring(stream) => stream.socket().take_error(),
        };
        error?.map_or(Ok(()), Err)
    }

    /// Reads what is there; 0 is the end of the stream (or an empty `buffer`).
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is nothing yet, else what broke the connection.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Inner::Epoll(stream) => stream.try_read(buffer),
            Inner::Uring(stream) => stream.try_read(buffer),
        }
    }

    /// The last read took less than there was room for, and so everything: the next wait is for what
    /// comes after it. Without this the wait may return at once, for a read that finds nothing.
    pub fn note_drained(&self) {
        match &self.0 {
            Inner::Epoll(stream) => stream.note_drained(),
            Inner::Uring(_) => {} // asks the kernel at each wait
        }
    }

    /// Sends `buffer[from..]` with one operation: the kernel may take only a part, and says how
    /// much. Waits while it takes nothing. The buffer comes back in any case.
    ///
    /// With `eor`, no later byte shares a segment with the last of these, if the kernel takes them
    /// all (`MSG_EOR`, Linux).
    ///
    /// Dropping the future is sound, but leaves unknown whether the bytes went out: a stream whose
    /// send was dropped can only be shut down.
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

    /// One operation of a write: sends what the kernel takes, once it takes anything, and says how
    /// much. The rest needs another one. 0 when there was nothing left.
    ///
    /// By system call the operation is over at once if the kernel has room. On the ring it goes out
    /// with others, and `cx` is woken when it is over. A `Sending` with an operation in flight may be
    /// dropped, as the future of [`Self::send`] may.
    ///
    /// # Errors
    ///
    /// What broke the connection.
    pub fn poll_send(
        &self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Inner::Epoll(stream) => stream.poll_send(cx, sending),
            Inner::Uring(stream) => stream.poll_send(cx, sending),
        }
    }

    /// The state of the sending side; `None` where the kernel does not report it.
    #[must_use]
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        match &self.0 {
            Inner::Epoll(stream) => tcp_info::read(stream.socket()),
            Inner::Uring(stream) => tcp_info::read(stream.socket()),
        }
    }

    /// How long ago the peer's kernel was heard; `None` where this one doesn't say.
    #[must_use]
    pub fn heard(&self) -> Option<std::time::Duration> {
        match &self.0 {
            Inner::Epoll(stream) => tcp_info::heard(stream.socket()),
            Inner::Uring(stream) => tcp_info::heard(stream.socket()),
        }
    }

    /// Reads what is there without having waited for it, however little; a wait that is under way
    /// may find nothing afterwards.
    ///
    /// # Errors
    ///
    /// As [`Self::try_read`].
    pub fn fetch(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Inner::Epoll(stream) => stream.fetch(buffer),
            Inner::Uring(stream) => stream.try_read(buffer),
        }
    }

    /// From how many bytes on [`Self::readable`] returns; 1 at first. The end of the stream and errors
    /// always count. Lowering it lets a wait return for what is there already.
    ///
    /// # Errors
    ///
    /// `Unsupported` where the kernel has no such thing; the mark stays at 1 then.
    pub fn set_low_water(&self, bytes: usize) -> io::Result<()> {
        match &self.0 {
            Inner::Epoll(stream) => low_water::set(stream.socket(), bytes),
            Inner::Uring(stream) => low_water::set(stream.socket(), bytes),
        }
    }

    /// The connection for another thread, which can make a [`Stream`] of it there. From here on this one is
    /// only to be dropped; that ends what waits here and leaves the connection alone. Call this only when
    /// no write is in flight. `with_others` says that all connections of the thread go: what waits for each is
    /// left to wait then, and holds a descriptor until the peer says something or the event loop ends.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left. Nothing has changed then.
    pub fn detach(&self, with_others: bool) -> io::Result<TcpStream> {
        match &self.0 {
            Inner::Epoll(stream) => stream.detach(),
            Inner::Uring(stream) => stream.detach(with_others),
        }
    }

    /// Closes both directions: what waits ends with an end of stream or an error, and the peer
    /// sees the end after what was sent. The descriptor lives until the stream is dropped.
    pub fn shutdown(&self) {
        match &self.0 {
            Inner::Epoll(stream) => stream.shutdown(),
            Inner::Uring(stream) => stream.shutdown(),
        }
    }
}
