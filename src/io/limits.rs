//! The process's limit on open files.

use std::io;

/// Raises the soft limit on open files to the hard limit, and returns it: each session takes a descriptor, and the
/// usual soft limit is 1024.
///
/// # Errors
///
/// If the kernel refuses, or the system has no such limit.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub fn raise_nofile() -> io::Result<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// Does nothing on this system: the operator sets the limit.
///
/// # Errors
///
/// Always.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub fn raise_nofile() -> io::Result<u64> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "raise the limit on open files with ulimit -n"))
}

/// Whether the next descriptor would be one of the last `kept` that the process may open. Costs three system calls.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
pub fn is_short_of_files(any: &impl std::os::fd::AsFd, kept: u64) -> bool {
    use std::os::fd::AsRawFd as _;

    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // A new descriptor gets the lowest free number.
    rustix::io::dup(any).map_or(true, |next| {
        u64::try_from(next.as_raw_fd()).is_ok_and(|next| next >= limit.saturating_sub(kept))
    })
}

/// Always `false`: this system does not say, so a lack of descriptors shows only when an open fails.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub fn is_short_of_files<F>(_any: &F, _kept: u64) -> bool {
    false
}

#[cfg(all(test, target_os = "linux", not(metalbond_portable)))]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_soft_limit_reaches_the_hard_one() {
        let raised = super::raise_nofile().unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(raised, limit.maximum.unwrap_or(u64::MAX));
    }

    #[test]
    fn only_the_last_descriptors_are_kept() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!super::is_short_of_files(&file, 0));
        assert!(super::is_short_of_files(&file, u64::MAX));
    }
}
