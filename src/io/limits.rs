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

/// A descriptor in reserve, so that one socket can be duplicated when the process may open no more.
#[cfg(feature = "server")]
#[derive(Debug, Default)]
pub struct Spare {
    #[cfg(all(target_os = "linux", not(metalbond_portable)))]
    descriptor: Option<std::os::fd::OwnedFd>,
}

#[cfg(all(feature = "server", target_os = "linux", not(metalbond_portable)))]
impl Spare {
    /// Opens the descriptor, if it is not there and the process may open one more.
    pub fn refill(&mut self) {
        use rustix::event::{EventfdFlags, eventfd};
        if self.descriptor.is_none() {
            self.descriptor = eventfd(0, EventfdFlags::CLOEXEC).ok();
        }
    }

    /// A second descriptor of a socket: a new one, or this one, which is then gone.
    pub(super) fn duplicate(
        &mut self,
        socket: &impl std::os::fd::AsFd,
    ) -> io::Result<std::net::TcpStream> {
        let second = socket.as_fd().try_clone_to_owned();
        second.map(Into::into).or_else(|error| self.replace(socket).ok_or(error))
    }

    /// Makes the descriptor one of the socket.
    fn replace(&mut self, socket: &impl std::os::fd::AsFd) -> Option<std::net::TcpStream> {
        use rustix::io::{DupFlags, dup3};
        let mut second = self.descriptor.take()?;
        dup3(socket, &mut second, DupFlags::CLOEXEC).ok()?;
        Some(second.into())
    }
}

#[cfg(all(feature = "server", not(all(target_os = "linux", not(metalbond_portable)))))]
impl Spare {
    /// Does nothing on this system.
    pub fn refill(&mut self) {}

    /// A second descriptor of a socket.
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "where there is a spare descriptor, this takes it"
    )]
    pub(super) fn duplicate(
        &mut self,
        socket: &impl std::os::fd::AsFd,
    ) -> io::Result<std::net::TcpStream> {
        socket.as_fd().try_clone_to_owned().map(Into::into)
    }
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
    #[cfg(feature = "server")]
    fn a_spare_descriptor_becomes_the_duplicate_of_one_socket() {
        use std::os::fd::AsRawFd as _;
        let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
        let mut spare = super::Spare::default();
        spare.refill();
        let reserved = spare.descriptor.as_ref().unwrap().as_raw_fd();
        // Not even one descriptor is needed beside it.
        let second = spare.replace(&listener).unwrap();
        assert_eq!(second.as_raw_fd(), reserved);
        assert_eq!(second.local_addr().unwrap(), listener.local_addr().unwrap());
        let flags = rustix::io::fcntl_getfd(&second).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        assert!(spare.replace(&listener).is_none());
    }

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
