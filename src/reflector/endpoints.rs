//! What answers operators about a reflector. The reflector knows that there is something of the kind;
//! whoever starts it says what.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::sync::oneshot;

use super::config::ControlError;
use super::inspector::Inspector;

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
