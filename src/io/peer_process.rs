//! The process at the other end of a Unix socket, and the end of a process.
//!
//! The kernel has noted the process when the socket was connected. A process of another PID namespace has no number
//! here; since Linux 6.5 it has a handle.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

#[cfg(feature = "server")]
use rustix::event::{PollFd, PollFlags, poll};
#[cfg(feature = "server")]
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// From `asm-generic/socket.h`; libc has it for some architectures only.
const SO_PEERPIDFD: libc::c_int = 77;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct PeerProcess {
    /// Its process id, if it has one in this namespace.
    pub(crate) number: Option<u32>,
    /// The user as which it runs.
    pub(crate) user: u32,
    /// Its pidfd, if there is one.
    pub(crate) handle: Option<OwnedFd>,
}

impl PeerProcess {
    /// The process at the other end of a connected socket.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = credentials(socket)?;
        let number = u32::try_from(credentials.pid).ok().filter(|number| *number > 0);
        let by_number = || pidfd_open(Pid::from_raw(credentials.pid)?, PidfdFlags::empty()).ok();
        let handle = handle(socket).or_else(by_number);
        Ok(Self { number, user: credentials.uid, handle })
    }
}

/// Calls a function when a process has ended, on a thread of its own. Never calls it on systems that cannot tell.
#[cfg(feature = "server")]
pub(crate) fn when_ended(number: u32, then: impl FnOnce() + Send + 'static) {
    let Some(number) = i32::try_from(number).ok().and_then(Pid::from_raw) else { return };
    // At once, before another process gets this number.
    let handle = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(handle) => Some(handle),
        Err(Errno::SRCH) => None,
        Err(_) => return,
    };
    let wait = move || {
        if handle.is_none_or(|handle| has_ended(&handle)) {
            then();
        }
    };
    std::thread::Builder::new().name("end".into()).spawn(wait).ok();
}

/// Blocks until the process of a pidfd has ended; false if the system cannot tell.
#[cfg(feature = "server")]
fn has_ended(handle: &OwnedFd) -> bool {
    loop {
        match poll(&mut [PollFd::new(handle, PollFlags::IN)], None) {
            Err(Errno::INTR) => {}
            polled => return polled.is_ok(),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "the safe wrapper takes the number 0 of a foreign namespace for one"
)]
fn credentials(socket: &impl AsFd) -> io::Result<libc::ucred> {
    let mut value = libc::ucred { pid: 0, uid: libc::uid_t::MAX, gid: libc::gid_t::MAX };
    let mut length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes at most `length` bytes to
    // `value`, which has that many and for which any bytes are valid.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[expect(unsafe_code, reason = "no safe wrapper knows SO_PEERPIDFD")]
fn handle(socket: &impl AsFd) -> Option<OwnedFd> {
    let mut value: libc::c_int = -1;
    let mut length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: as above. A descriptor that the kernel has written is open, and nobody else's.
    unsafe {
        let result = libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut value).cast(),
            &raw mut length,
        );
        (result == 0 && value >= 0).then(|| OwnedFd::from_raw_fd(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = PeerProcess::of(&one).unwrap();
        assert_eq!(peer.number, Some(std::process::id()));
        assert_eq!(peer.user, rustix::process::geteuid().as_raw());
        assert!(peer.handle.is_some());
    }
}
