//! A stream by readiness: tokio's reactor says when, plain system calls do the rest.
//!
//! Owns the socket and its registration with the reactor. Called by [`Stream`](super::Stream)
//! only. Memory is lent to the kernel for the length of a call and no longer, so dropped futures
//! need no care.

use std::io::{self, IoSlice, Read as _};
use std::marker::PhantomData;
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::flags::{send_flags, try_send};
use super::sending::SendingState;
use super::{OutBuf, SLICES_MAX, Sending, Spare};

#[derive(Debug)]
pub(super) struct EpollStream {
    socket: TcpStream,
    /// Makes it not `Send`, like its twin on the ring, so that code written for one fits the other.
    _local: PhantomData<Rc<()>>,
}

impl EpollStream {
    pub(super) fn new(socket: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self { socket: TcpStream::from_std(socket)?, _local: PhantomData })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// An error that breaks the connection makes it readable as well.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.socket.poll_read_ready(cx))?;
        // The socket is ready, so this does not wait: it only finds out for what it is ready.
        let ready = pin!(self.socket.ready(Interest::READABLE | Interest::ERROR));
        if let Poll::Ready(ready) = ready.poll(&mut Context::from_waker(Waker::noop()))
            && ready?.is_error()
        {
            return Poll::Ready(self.socket.take_error()?.map_or(Ok(()), Err));
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buffer)
    }

    /// The kernel reports bytes that come after a read that emptied the socket, and its end. The runtime
    /// relies on that once it is told that there is nothing now.
    pub(super) fn note_drained(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        self.socket.try_io(Interest::READABLE, nothing).ok();
    }

    /// Reads whether or not the runtime believes that the socket is readable: a low-water mark hides bytes from it.
    pub(super) fn fetch(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&self.socket)).read(buffer)
    }

    fn try_send(&self, buffer: &OutBuf, from: usize, eor: bool) -> io::Result<usize> {
        if let OutBuf::Shared(bytes) = buffer {
            return try_send(&self.socket, bytes.get(from..).unwrap_or_default(), eor);
        }
        let mut parts = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (part, slice) in parts.iter_mut().zip(buffer.slices(from)) {
            *part = IoSlice::new(slice);
            count += 1;
        }
        let (parts, flags) = (&parts[..count], send_flags(eor));
        let socket = SockRef::from(&self.socket);
        let send = || socket.send_vectored_with_flags(parts, flags);
        self.socket.try_io(Interest::WRITABLE, send)
    }

    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
    ) -> Poll<io::Result<usize>> {
        let Sending { state: SendingState::Here(buffer), from, eor } = sending else {
            return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())); // an operation of the ring
        };
        if *from >= buffer.len() {
            return Poll::Ready(Ok(0));
        }
        loop {
            match self.try_send(buffer, *from, *eor) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(n) => {
                    *from += n;
                    return Poll::Ready(Ok(n));
                }
            }
        }
    }

    /// A second descriptor of the connection; the runtime watches the first one only.
    pub(super) fn detach(&self, spare: &mut Spare) -> io::Result<std::net::TcpStream> {
        spare.duplicate(&self.socket)
    }

    pub(super) fn shutdown(&self) {
        // An error means that the connection is gone already, which is just as well.
        drop(SockRef::from(&self.socket).shutdown(Shutdown::Both));
    }
}
