//! The kernel's TLS where there is none: on other systems, and in a program without TLS.

use std::io;

use thiserror::Error;

#[cfg(feature = "tls")]
pub(crate) use giving::*;

/// The functions that a handshake needs.
#[cfg(feature = "tls")]
mod giving {
    use std::io;

    pub(crate) enum Direction {
        Send,
        Receive,
    }

    #[expect(dead_code, reason = "nobody takes them")]
    pub(crate) struct TlsKeys {
        pub(crate) key: [u8; 32],
        pub(crate) iv: [u8; 12],
        pub(crate) sequence: u64,
    }

    pub(crate) fn prepare<S>(_: &S) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set_keys<S>(_: &S, _: Direction, _: &TlsKeys) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn try_out() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Never there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum TlsEnd {}

impl TlsEnd {
    pub(crate) fn of(_: &io::Error) -> Option<Self> {
        None
    }
}

/// Never there.
#[derive(Debug)]
pub(super) enum Records {}

impl Records {
    pub(super) fn of<S>(_: &S) -> Option<Self> {
        None
    }

    pub(super) fn read<S>(&self, _: &S, _: io::Result<usize>) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn failed(&self, _: io::Error) -> io::Error {
        match *self {}
    }

    pub(super) fn wait_for_rest<S>(&self, _: &S) {
        match *self {}
    }

    pub(super) fn low_water(&self, _: usize) -> usize {
        match *self {}
    }

    pub(super) fn close<S>(&self, _: &S) {
        match *self {}
    }
}
