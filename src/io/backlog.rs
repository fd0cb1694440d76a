//! Bounds the unsent bytes that the kernel holds for a socket, and ends sending.

use std::io;

/// How many bytes the kernel takes before it says "not now", beyond those in flight.
///
/// Without this bound a send buffer grows to megabytes, and an answer to a keepalive waits behind
/// all of it: on a slow path for longer than the peer's hold time. Bytes that the kernel doesn't hold
/// stay in the session's queue, where an update that has become obsolete can still be dropped.
/// 128 KiB not yet sent keep a fast path busy for the time a shard needs to come round (1 ms at
/// 1 Gbit/s), and an answer waits a tenth of a second at 10 Mbit/s.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(super) const NOT_SENT_LOW_WATER: u32 = 128 * 1024;

/// Bounds the bytes that the kernel may hold unsent.
///
/// # Errors
///
/// The kernel's error.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub(crate) fn bound_backlog<S: std::os::fd::AsFd>(socket: &S) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)
}

/// Other systems have no such bound.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(crate) fn bound_backlog<S>(_socket: &S) -> io::Result<()> {
    Ok(())
}

/// Tells the other end that nothing more comes; bytes sent before still go out.
#[cfg(feature = "tls")]
pub(crate) fn shut_down_writes(socket: &impl std::os::fd::AsFd) {
    // An error means that the connection is gone already, which is just as well.
    socket2::SockRef::from(socket).shutdown(std::net::Shutdown::Write).ok();
}
