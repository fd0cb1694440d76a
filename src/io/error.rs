//! What can go wrong in the choice of a backend. Errors of sockets stay `std::io::Error`.

use thiserror::Error;

/// Why the I/O layer cannot be set up as configured.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum IoError {
    /// The configuration names io_uring, and this machine, user or build does not have it.
    #[error("cannot use io_uring (--io uring): {reason}; {remedy}")]
    UringUnavailable {
        /// The obstacle, as a clause.
        reason: String,
        /// The remedy, as a clause.
        remedy: &'static str,
    },
    /// There is no backend of this name.
    #[error("unknown I/O backend {0:?}; one of auto, uring, epoll")]
    UnknownChoice(String),
}

/// Why io_uring doesn't work here, and what would help: two clauses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Unavailable {
    pub(super) reason: String,
    pub(super) remedy: &'static str,
}
