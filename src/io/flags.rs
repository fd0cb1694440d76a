//! Flags of sends, for both kinds of I/O; and a send of a socket that tokio watches.

use std::io;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The flags of a send: with `eor` no later byte shares a segment with its last one.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(super) fn send_flags(eor: bool) -> i32 {
    libc::MSG_NOSIGNAL | if eor { libc::MSG_EOR } else { 0 }
}

/// Rust's start-up code ignores SIGPIPE, and MSG_EOR means nothing to other systems' TCP.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(super) fn send_flags(_eor: bool) -> i32 {
    0
}

/// Sends as many bytes as the socket takes at once; with `eor`, no segment holds bytes of this and the next send.
pub(crate) fn try_send(socket: &TcpStream, bytes: &[u8], eor: bool) -> io::Result<usize> {
    let flags = send_flags(eor);
    socket.try_io(Interest::WRITABLE, || SockRef::from(socket).send_with_flags(bytes, flags))
}
