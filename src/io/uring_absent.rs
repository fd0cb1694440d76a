//! What stands in for the ring in builds without it: types that can't exist.

use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::task::{Context, Poll};

use super::error::Unavailable;
use super::{Sending, Spare};

pub(super) fn available() -> Result<(), Unavailable> {
    Err(if cfg!(any(not(target_os = "linux"), metalbond_portable)) {
        Unavailable {
            reason: "io_uring exists on Linux only".into(),
            remedy: "set --io epoll, which here means this system's own readiness",
        }
    } else if cfg!(target_env = "musl") {
        Unavailable {
            reason: "this binary was built with musl, where io_uring is not supported".into(),
            remedy: "use a binary built with glibc, or set --io epoll",
        }
    } else {
        Unavailable {
            reason: "this binary was built without the feature `uring`".into(),
            remedy: "build it with that feature, or set --io epoll",
        }
    })
}

pub(super) fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this binary was built without io_uring")
}

#[derive(Debug)]
pub(super) struct UringStream(Infallible);

impl UringStream {
    pub(super) fn new(_socket: TcpStream) -> io::Result<Self> {
        Err(unsupported())
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self.0 {}
    }

    pub(super) fn poll_readable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    pub(super) fn try_read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    pub(super) fn poll_send(
        &self,
        _cx: &mut Context<'_>,
        _sending: &mut Sending,
    ) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    pub(super) fn detach(&self, _: bool, _: &mut Spare) -> io::Result<TcpStream> {
        match self.0 {}
    }

    pub(super) fn end_waits(&self) {
        match self.0 {}
    }

    pub(super) fn shutdown(&self) {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(super) struct UringRuntime(Infallible);

impl UringRuntime {
    pub(super) fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    pub(super) fn block_on<F: Future>(&self, _future: F) -> F::Output {
        match self.0 {}
    }
}
