//! The common parts of the control sockets of reflector and leaf: their audience, the errors of opening one, and the log
//! target of commands.

use std::path::PathBuf;

use thiserror::Error;

/// The log target of commands over the control socket. The command `metalbond` logs them at any level.
pub const AUDIT: &str = "metalbond::audit";

/// The users that may connect to a control socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// The user of the process, and root. They may give commands.
    Owner,
    /// In addition a group. The socket accepts no commands.
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

/// Why a control socket could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A process answers on it.
    #[cfg(unix)]
    #[error("another process uses the control socket {0}: stop it or give this one another path")]
    InUse(PathBuf),
    /// The path is taken by something that is not a socket.
    #[cfg(unix)]
    #[error("{0} exists and is not a socket: remove it or give another path")]
    NotASocket(PathBuf),
    /// Its folder does not exist.
    #[cfg(unix)]
    #[error("the folder of the control socket {0} does not exist: create it or give another path")]
    NoFolder(PathBuf),
    /// A stale socket is there and cannot be replaced, because it is a mount point.
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
    /// The build lacks the feature `http`, which answers on the control socket.
    #[cfg(not(feature = "http"))]
    #[error("this program was built without control sockets: build it with the feature http")]
    NotBuilt,
    /// This system has no Unix sockets.
    #[cfg(not(unix))]
    #[error("there are no Unix sockets on this system; start it without --control")]
    Absent,
}
