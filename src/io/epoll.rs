//! A stream by readiness: tokio's reactor says when, plain system calls do the rest.
//!
//! Owns the socket and its registration with the reactor. Called by [`Stream`](super::Stream)
//! only. Memory is lent to the kernel for the length of a call and no longer, so dropped futures
//! need no care.

use std::io::{self, IoSlice, Read as _};
use std::marker::PhantomData;
use std::net::Shutdown;
use std::rc::Rc;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::{OutBuf, SLICES_MAX};

#[derive(Debug)]
pub(super) struct EpollStream {
    socket: TcpStream,
    /// As little `Send` as its twin on the ring, so that code written for one fits the other.
    _local: PhantomData<Rc<()>>,
}

impl EpollStream {
    pub(super) fn new(socket: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self { socket: TcpStream::from_std(socket)?, _local: PhantomData })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        let ready = self.socket.ready(Interest::READABLE | Interest::ERROR).await?;
        if ready.is_error() {
            return self.socket.take_error()?.map_or(Ok(()), Err);
        }
        Ok(())
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.try_read(buffer)
    }

    /// Past the readiness that the runtime believes in, which a low-water mark hides.
    pub(super) fn fetch(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(&self.socket)).read(buffer)
    }

    pub(super) fn try_send(&self, buffer: &OutBuf, from: usize, eor: bool) -> io::Result<usize> {
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

    pub(super) async fn send(&self, buffer: &OutBuf, from: usize, eor: bool) -> io::Result<usize> {
        if from >= buffer.len() {
            return Ok(0);
        }
        loop {
            match self.try_send(buffer, from, eor) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.writable().await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(super) fn shutdown(&self) {
        // An error means that the connection is gone already, which is what was asked for.
        drop(SockRef::from(&self.socket).shutdown(Shutdown::Both));
    }
}

/// Sends what the socket takes at once; with `eor`, no segment holds bytes of this and the next.
pub(crate) fn try_send(socket: &TcpStream, bytes: &[u8], eor: bool) -> io::Result<usize> {
    let flags = send_flags(eor);
    socket.try_io(Interest::WRITABLE, || SockRef::from(socket).send_with_flags(bytes, flags))
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(super) fn send_flags(eor: bool) -> i32 {
    libc::MSG_NOSIGNAL | if eor { libc::MSG_EOR } else { 0 }
}

/// Rust's start-up code ignores SIGPIPE, and MSG_EOR means nothing to other systems' TCP.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(super) fn send_flags(_eor: bool) -> i32 {
    0
}
