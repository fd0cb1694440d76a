//! What answers operators about a reflector. The reflector knows that there is something of the kind;
//! whoever starts it says what.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use thiserror::Error;
use tokio::sync::oneshot;

use super::inspector::Inspector;

/// Why the control socket could not be opened.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Somebody answers on it.
    #[cfg(unix)]
    #[error(
        "another reflector uses the control socket {0} (--control): stop it or give this one another path"
    )]
    InUse(PathBuf),
    /// There is something else.
    #[cfg(unix)]
    #[error("{0} (--control) is not a socket and stays as it is: give another path or remove it")]
    NotASocket(PathBuf),
    /// There is nowhere to put it.
    #[cfg(unix)]
    #[error(
        "the folder of the control socket {0} (--control) is not there: create it or give another path"
    )]
    NoFolder(PathBuf),
    /// A socket that nobody answers on, and that cannot be replaced.
    #[cfg(unix)]
    #[error(
        "the control socket {0} (--control) is a mount point and cannot be replaced: mount its folder \
         instead of the socket"
    )]
    Mounted(PathBuf),
    /// Anything else.
    #[cfg(unix)]
    #[error(
        "cannot open the control socket {path} (--control): {source}; give a path of less than 100 \
         bytes in a folder that this user may write to"
    )]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// This system has no Unix sockets.
    #[cfg(not(unix))]
    #[error("there are no Unix sockets on this system; start it without --control")]
    Absent,
}

/// See the module's documentation.
pub(crate) trait Endpoints {
    /// The control socket, listening; dropped, it is gone.
    type Socket: Send + 'static;

    /// Opens the control socket.
    ///
    /// # Errors
    /// [`ControlError`].
    fn open(path: &Path) -> Result<Self::Socket, ControlError>;

    /// The control socket of another process, which goes on with it.
    ///
    /// # Errors
    /// [`ControlError`].
    #[cfg(unix)]
    fn inherit(path: &Path, socket: OwnedFd) -> Result<Self::Socket, ControlError>;

    /// The descriptor of the control socket.
    #[cfg(unix)]
    fn descriptor(socket: &Self::Socket) -> Option<BorrowedFd<'_>>;

    /// Answers on a thread of its own, over HTTP, over the socket, or over both, until `stop` is dropped.
    fn run(
        runtime: &tokio::runtime::Runtime,
        listener: Option<TcpListener>,
        socket: Option<Self::Socket>,
        inspector: Inspector,
        stop: oneshot::Receiver<()>,
    );
}
