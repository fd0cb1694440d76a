//! A stream whose TLS the kernel does: what its reads and errors mean, and the alert that ends it.
//!
//! A read of such a socket returns the content of data records. A record of another kind (an alert, or new keys) makes
//! the read fail with EIO, and stays; a read that also asks for the record's type says which kind it is.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _};

use socket2::{MaybeUninitSlice, MsgHdr, MsgHdrMut, SockRef};
use thiserror::Error;

use super::low_water;

/// From `linux/tls.h`.
const SOL_TLS: libc::c_int = 282;
const SET_RECORD_TYPE: libc::c_int = 1;
/// Bytes of `struct cmsghdr`: a length, a level, a type.
const CMSG_HEADER: usize = size_of::<libc::cmsghdr>();
/// The bytes with one byte of data and the padding behind it.
const CMSG_SPACE: usize = CMSG_HEADER + size_of::<usize>();

/// Types of records, of messages and of alerts (RFC 8446, appendix B).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const KEY_UPDATE: u8 = 24;
const CLOSE_NOTIFY: u8 = 0;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const WARNING: u8 = 1;
const FATAL: u8 = 2;
/// Bytes of a record beside its data: header, type and tag.
const OVERHEAD: usize = 5 + 1 + 16;

/// The reason why the TLS of a connection ended without the peer's announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum TlsEnd {
    #[error("the connection ended without close_notify")]
    Truncated,
    #[error("TLS: the kernel cannot decrypt a record of the peer")]
    BadRecord,
    #[error("TLS: the peer changed its keys, and the kernel cannot")]
    KeyUpdate,
    #[error("the peer sent a TLS alert: {0}")]
    Alert(u8),
    #[error("TLS: the peer sent a record of type {0}, which has no place in a session")]
    Unexpected(u8),
}

impl TlsEnd {
    /// The end that an error of a stream stands for, if it stands for one.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    fn error(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }

    /// The alert that tells the peer about this end.
    fn alert(self) -> [u8; 2] {
        match self {
            Self::Truncated | Self::Alert(_) => [WARNING, CLOSE_NOTIFY],
            Self::BadRecord => [FATAL, BAD_RECORD_MAC],
            Self::KeyUpdate | Self::Unexpected(_) => [FATAL, UNEXPECTED_MESSAGE],
        }
    }
}

/// A stream's state of the TLS that the kernel does for it.
#[derive(Debug, Default)]
pub(super) struct Records {
    end: Cell<Option<TlsEnd>>,
    /// Whether the low-water mark is raised, so that part of a record wakes no task.
    is_raised: Cell<bool>,
}

impl Records {
    /// The state for a socket, if the kernel does its TLS.
    pub(super) fn of(socket: &impl AsFd) -> Option<Self> {
        if !protocol(socket).is_ok_and(|name| name.starts_with(b"tls\0")) {
            return None;
        }
        // An earlier stream of the socket may have raised the mark.
        low_water::set(socket, 1).ok();
        Some(Self::default())
    }

    /// The meaning of a read's result: 0 only if the peer has said that it sends no more.
    pub(super) fn read(&self, socket: &impl AsFd, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Ok(0) => Err(self.ends(TlsEnd::Truncated)),
            Ok(count) => {
                if self.is_raised.replace(false) {
                    low_water::set(socket, 1)?;
                }
                Ok(count)
            }
            Err(error) if error.raw_os_error() == Some(libc::EIO) => match control(socket)? {
                Control::CloseNotify => Ok(0),
                Control::Other(end) => Err(self.ends(end)),
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The meaning of a socket's error.
    pub(super) fn failed(&self, error: io::Error) -> io::Error {
        match error.raw_os_error() {
            // Bytes that are no record, a record that is too long, and one that was encrypted in another way.
            Some(libc::EINVAL | libc::EMSGSIZE | libc::EBADMSG) => self.ends(TlsEnd::BadRecord),
            _ => error,
        }
    }

    fn ends(&self, end: TlsEnd) -> io::Error {
        self.end.set(Some(end));
        end.error()
    }

    /// Call this when a read found nothing. Older kernels call a socket readable that has a part of a record, and would
    /// do so again and again; so this lets the socket become readable only when more bytes have come.
    pub(super) fn wait_for_rest(&self, socket: &impl AsFd) {
        if let Ok(part @ 1..) = rustix::io::ioctl_fionread(socket) {
            let more = usize::try_from(part).unwrap_or(usize::MAX).saturating_add(1);
            // Without the mark the wait only costs more.
            self.is_raised.set(low_water::set(socket, more).is_ok());
        }
    }

    /// The number of bytes from which on the socket is readable, for this number of data bytes.
    pub(super) fn low_water(&self, bytes: usize) -> usize {
        self.is_raised.set(false);
        if bytes > 1 { bytes + OVERHEAD } else { bytes }
    }

    /// Tells the peer that nothing more comes, if the socket takes the alert.
    pub(super) fn close(&self, socket: &impl AsFd) {
        let alert = self.end.get().map_or([WARNING, CLOSE_NOTIFY], TlsEnd::alert);
        let mut control = [0; CMSG_SPACE];
        control[..CMSG_HEADER].copy_from_slice(&header());
        control[CMSG_HEADER] = ALERT;
        let parts = [io::IoSlice::new(&alert)];
        let message = MsgHdr::new().with_buffers(&parts).with_control(&control);
        let socket = SockRef::from(socket);
        // An error that a wrong record has left behind would make this fail.
        socket.take_error().ok();
        socket.sendmsg(&message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL).ok();
    }
}

/// The header of a control message with one byte.
fn header() -> [u8; CMSG_HEADER] {
    let mut bytes = [0; CMSG_HEADER];
    let (length, rest) = bytes.split_at_mut(CMSG_HEADER - 2 * size_of::<libc::c_int>());
    let wanted = (CMSG_HEADER + 1).to_ne_bytes();
    length[..wanted.len()].copy_from_slice(&wanted);
    let (level, kind) = rest.split_at_mut(size_of::<libc::c_int>());
    level.copy_from_slice(&SOL_TLS.to_ne_bytes());
    kind.copy_from_slice(&SET_RECORD_TYPE.to_ne_bytes());
    bytes
}

/// A record that is not data.
enum Control {
    CloseNotify,
    Other(TlsEnd),
}

/// Takes out the record at which a read has failed.
#[expect(unsafe_code, reason = "a read leaves untouched what it does not fill")]
fn control(socket: &impl AsFd) -> io::Result<Control> {
    let mut bytes = [MaybeUninit::new(0); 64];
    let mut kind = [MaybeUninit::new(0); CMSG_SPACE];
    let mut parts = [MaybeUninitSlice::new(&mut bytes)];
    let mut message = MsgHdrMut::new().with_buffers(&mut parts).with_control(&mut kind);
    let count = SockRef::from(socket).recvmsg(&mut message, libc::MSG_DONTWAIT)?;
    // SAFETY: all bytes were given a value above.
    let (bytes, kind) =
        unsafe { (bytes.map(|it| it.assume_init()), kind.map(|it| it.assume_init())) };
    Ok(match (kind[CMSG_HEADER], &bytes[..count.min(bytes.len())]) {
        (ALERT, [_, CLOSE_NOTIFY]) => Control::CloseNotify,
        (ALERT, [_, alert]) => Control::Other(TlsEnd::Alert(*alert)),
        (HANDSHAKE, [KEY_UPDATE, ..]) => Control::Other(TlsEnd::KeyUpdate),
        (kind, _) => Control::Other(TlsEnd::Unexpected(kind)),
    })
}

/// The name of the protocol on top of a TCP socket.
#[expect(unsafe_code, reason = "no safe wrapper knows TCP_ULP")]
fn protocol(socket: &impl AsFd) -> io::Result<[u8; 16]> {
    let mut name = [0_u8; 16];
    let mut length = libc::socklen_t::try_from(name.len()).unwrap_or(0);
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes at most `length` bytes into `name`, which
    // has that many.
    let result = unsafe {
        let (level, option) = (libc::IPPROTO_TCP, libc::TCP_ULP);
        let socket = socket.as_fd().as_raw_fd();
        libc::getsockopt(socket, level, option, name.as_mut_ptr().cast(), &raw mut length)
    };
    if result == 0 { Ok(name) } else { Err(io::Error::last_os_error()) }
}
