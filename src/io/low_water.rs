//! The number of bytes from which a socket counts as readable (SO_RCVLOWAT).
//!
//! Stateless. A socket with a low-water mark wakes no task for fewer bytes, unless its stream has ended or broken; a
//! read still returns the bytes that are there. Lowering the mark wakes a task that waits for bytes that are there
//! already.

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
#[expect(unsafe_code, reason = "no safe wrapper knows SO_RCVLOWAT")]
pub(super) fn set(socket: &impl std::os::fd::AsFd, bytes: usize) -> std::io::Result<()> {
    use std::os::fd::AsRawFd as _;

    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the descriptor is borrowed for the call, and the kernel reads `length` bytes of
    // `value`, which has that many.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const value).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Elsewhere a mark may not wake when it is lowered.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub(super) fn set<S>(_socket: &S, _bytes: usize) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
