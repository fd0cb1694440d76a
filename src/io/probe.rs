//! Setting up a ring: the one place that knows its flags and sizes, and what it means when the
//! kernel refuses.
//!
//! Stateless. Called once at start, to choose a backend, and once per shard. tokio-uring's own
//! entry points panic or leak where there is no io_uring, so a ring is tried here first.

use std::io;

use io_uring::{IoUring, opcode};

use super::error::Unavailable;

/// Entries that a shard queues before it submits them even though it is still busy.
pub(super) const SUBMISSIONS: u32 = 1024;

/// Completions that fit without the kernel's overflow list: 10,000 connections of a shard, each
/// with a poll and a send. They take 512 KiB. Further ones are not lost: the kernel keeps them
/// and hands them over turn by turn. So a ring has room for fewer if the kernel lacks memory for these: Linux 6.18
/// gives none while free memory is short, although it would have to drop cached files only.
const COMPLETIONS: [u32; 3] = [32_768, 8192, 2048];

/// Calls `set_up` with the largest room for completions for which the kernel has memory.
///
/// # Errors
/// The error of the last attempt.
pub(super) fn with_room<T>(mut set_up: impl FnMut(u32) -> io::Result<T>) -> io::Result<T> {
    let [most, fewer @ ..] = COMPLETIONS;
    let mut result = set_up(most);
    for completions in fewer {
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            result => return result,
        }
        result = set_up(completions);
    }
    result
}

/// Cooperative completions halve the cost of many idle sessions against the default flags.
/// DEFER_TASKRUN is left out: with this runtime reads hang.
fn rings(completions: u32) -> [io_uring::Builder; 2] {
    let mut plain = IoUring::builder();
    plain.setup_cqsize(completions);
    let mut fast = plain.clone();
    fast.setup_coop_taskrun().setup_single_issuer();
    [fast, plain]
}

/// The best flags that this kernel accepts. EINVAL means that it is older than the flags (5.19, 6.0).
pub(super) fn accepted(submissions: u32, completions: u32) -> io::Result<io_uring::Builder> {
    let [fast, plain] = rings(completions);
    match try_out(&fast, submissions) {
        Ok(()) => Ok(fast),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            try_out(&plain, submissions).map(|()| plain)
        }
        Err(error) => Err(error),
    }
}

/// Sets a ring up and submits a no-op: a filter may allow one of these system calls and not the other.
#[expect(unsafe_code, reason = "queueing an entry is unsafe whatever it does")]
fn try_out(builder: &io_uring::Builder, submissions: u32) -> io::Result<()> {
    let mut ring = builder.build(submissions)?;
    // SAFETY: a no-op has no pointers or descriptors that would have to live until it ends.
    let pushed = unsafe { ring.submission().push(&opcode::Nop::new().build()) };
    if pushed.is_err() {
        return Err(io::Error::other("a new submission queue is full"));
    }
    ring.submit_and_wait(1)?;
    match ring.completion().next() {
        Some(entry) if entry.result() < 0 => Err(io::Error::from_raw_os_error(-entry.result())),
        Some(_) => Ok(()),
        None => Err(io::Error::other("a no-op never completed")),
    }
}

/// Whether a shard could run on a ring.
pub(super) fn available() -> Result<(), Unavailable> {
    let Err(error) = with_room(|completions| accepted(SUBMISSIONS, completions)) else {
        return Ok(());
    };
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    Err(explain(&error, sysctl.as_deref().map(str::trim)))
}

fn explain(error: &io::Error, sysctl: Option<&str>) -> Unavailable {
    let (reason, remedy) = match (error.raw_os_error(), sysctl) {
        (Some(libc::EPERM), Some("2")) => (
            "the kernel has it switched off (kernel.io_uring_disabled = 2)".into(),
            "set it to 0 with sysctl, or set --io epoll",
        ),
        (Some(libc::EPERM), Some("1")) => (
            "the kernel keeps it from ordinary users (kernel.io_uring_disabled = 1)".into(),
            "join the group in kernel.io_uring_group, set io_uring_disabled to 0, or set --io epoll",
        ),
        (Some(libc::EPERM | libc::EACCES), _) => (
            "a security policy forbids it (most likely the container's seccomp profile)".into(),
            "allow io_uring_setup, io_uring_enter and io_uring_register there, or set --io epoll",
        ),
        (Some(libc::ENOSYS), _) => (
            "this kernel has no io_uring".into(),
            "run a kernel of 5.10 or newer with CONFIG_IO_URING, or set --io epoll",
        ),
        (Some(libc::EINVAL), _) => (
            "this kernel's io_uring refuses even plain flags".into(),
            "run a kernel of 5.10 or newer, or set --io epoll",
        ),
        (Some(libc::ENOMEM), _) => (
            "there is not enough memory, or lockable memory, for its queues".into(),
            "raise the limit on locked memory (ulimit -l), or set --io epoll",
        ),
        (Some(libc::EMFILE | libc::ENFILE), _) => (
            "there are too many open files".into(),
            "raise the limit on open files (ulimit -n), or set --io epoll",
        ),
        _ => (format!("setting it up failed: {error}"), "set --io epoll"),
    };
    Unavailable { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(errno: i32, sysctl: Option<&str>) -> String {
        explain(&io::Error::from_raw_os_error(errno), sysctl).reason
    }

    #[test]
    fn a_ring_has_less_room_where_memory_is_short() {
        let grants = |most: u32| move |room| if room > most { Err(libc::ENOMEM) } else { Ok(room) };
        let granted = |most| {
            let set_up = grants(most);
            with_room(|room| set_up(room).map_err(io::Error::from_raw_os_error)).ok()
        };
        assert_eq!(granted(u32::MAX), Some(32_768));
        assert_eq!((granted(10_000), granted(8191)), (Some(8192), Some(2048)));
        assert_eq!(granted(100), None);
        let mut attempts = 0;
        let refused = with_room::<()>(|_| {
            attempts += 1;
            Err(io::Error::from_raw_os_error(libc::EPERM))
        });
        assert_eq!((refused.unwrap_err().raw_os_error(), attempts), (Some(libc::EPERM), 1));
    }

    #[test]
    fn refusals_are_told_apart() {
        assert!(reason(libc::EPERM, Some("2")).contains("io_uring_disabled = 2"));
        assert!(reason(libc::EPERM, Some("1")).contains("io_uring_disabled = 1"));
        assert!(reason(libc::EPERM, Some("0")).contains("seccomp"));
        assert!(reason(libc::EPERM, None).contains("seccomp"));
        assert!(reason(libc::ENOSYS, None).contains("no io_uring"));
        assert!(reason(libc::EINVAL, Some("0")).contains("plain flags"));
        assert!(reason(libc::ENOMEM, None).contains("lockable"));
        assert!(reason(libc::EIO, None).contains("setting it up failed"));
    }
}
