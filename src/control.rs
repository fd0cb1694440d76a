//! What the control sockets of reflector and leaf have in common, whoever serves them: for whom they are, why there
//! may be none, and where the log says what was told over them.

use std::path::PathBuf;

use thiserror::Error;

/// The target in the log of commands over the control socket. The program logs them at any level.
pub const AUDIT: &str = "metalbond::audit";

/// For whom a control socket is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// The user that the process runs as, and root. They may tell it what to do.
    Owner,
    /// A group, in addition. Nobody may change anything here.
    #[cfg(feature = "server")]
    Readers {
        /// Its name or number.
        group: String,
    },
}

impl Audience {
    /// The group that may connect as well, if there is one.
    #[cfg(all(unix, feature = "http"))]
    pub(crate) fn group(&self) -> Option<&str> {
        match self {
            Self::Owner => None,
            #[cfg(feature = "server")]
            Self::Readers { group } => Some(group),
        }
    }
}

/// Why the control socket could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Somebody answers on it.
    #[cfg(unix)]
    #[error("another process uses the control socket {0}: stop it or give this one another path")]
    InUse(PathBuf),
    /// There is something else.
    #[cfg(unix)]
    #[error("{0} is not a socket and stays as it is: give another path or remove it")]
    NotASocket(PathBuf),
    /// There is nowhere to put it.
    #[cfg(unix)]
    #[error("the folder of the control socket {0} is not there: create it or give another path")]
    NoFolder(PathBuf),
    /// A socket that nobody answers on, and that cannot be replaced.
    #[cfg(unix)]
    #[error(
        "the control socket {0} is a mount point and cannot be replaced: mount its folder \
         instead of the socket"
    )]
    Mounted(PathBuf),
    /// Anything else.
    #[cfg(unix)]
    #[error(
        "cannot open the control socket {path}: {source}; give a path of less than 100 \
         bytes in a folder that this user may write to"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The build has no feature `http`, which answers there.
    #[cfg(not(feature = "http"))]
    #[error("this build answers at no control socket: build it with the feature http")]
    NotBuilt,
    /// This system has no Unix sockets.
    #[cfg(not(unix))]
    #[error("there are no Unix sockets on this system; start it without --control")]
    Absent,
}
