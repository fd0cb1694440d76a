//! The endpoints that answer operators about a reflector. The reflector knows only this interface; the code that starts
//! the reflector brings the endpoints.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::sync::oneshot;

use super::Inspector;
use crate::control::{Audience, ControlError};
use crate::http_guard::HttpGuard;

/// The listeners for operators.
#[derive(Debug)]
pub(crate) struct Doors<S> {
    /// Everything, over HTTP.
    pub(crate) http: Option<TcpListener>,
    /// Health and metrics alone, over HTTP.
    pub(crate) health: Option<TcpListener>,
    /// Everything, and commands.
    pub(crate) control: Option<S>,
    /// Everything, without commands.
    pub(crate) readers: Option<S>,
}

/// See the module's documentation.
pub(crate) trait Endpoints {
    /// A listening control socket; dropping it removes it.
    type Socket: Send + 'static;

    /// Opens a control socket.
    ///
    /// # Errors
    /// [`ControlError`].
    fn open(path: &Path, audience: &Audience) -> Result<Self::Socket, ControlError>;

    /// Takes over a control socket of another process.
    ///
    /// # Errors
    /// [`ControlError`].
    #[cfg(unix)]
    fn inherit(
        path: &Path,
        audience: &Audience,
        socket: OwnedFd,
    ) -> Result<Self::Socket, ControlError>;

    /// The descriptor of a control socket.
    #[cfg(unix)]
    fn descriptor(socket: &Self::Socket) -> Option<BorrowedFd<'_>>;

    /// Answers on a thread of its own, on all listeners, until `stop` is dropped.
    fn run(
        runtime: &tokio::runtime::Runtime,
        doors: Doors<Self::Socket>,
        guard: HttpGuard,
        inspector: Inspector,
        stop: oneshot::Receiver<()>,
    );
}
