//! The process's limit on open files. Called once at start.

use std::io;

/// Raises the soft limit on open files to the hard one and returns it: each session takes a
/// descriptor, and the usual soft limit is 1024.
///
/// # Errors
///
/// When the kernel refuses, or on a system where this isn't done.
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

/// Left to the operator here.
///
/// # Errors
///
/// Always.
#[cfg(not(all(target_os = "linux", not(metalbond_portable))))]
pub fn raise_nofile() -> io::Result<u64> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "raise the limit on open files with ulimit -n"))
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
}
