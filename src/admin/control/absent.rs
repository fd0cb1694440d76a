//! No control socket: systems without Unix sockets.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

#[cfg(feature = "server")]
use crate::control::Audience;
use crate::control::ControlError;

/// A control socket; this system has none.
#[derive(Debug)]
pub enum Socket {}

impl Socket {
    /// Always fails.
    ///
    /// # Errors
    /// [`ControlError::Absent`].
    pub fn open(_: &Path) -> Result<Self, ControlError> {
        Err(ControlError::Absent)
    }

    #[cfg(feature = "server")]
    pub(in crate::admin) fn open_for(_: &Path, _: &Audience) -> Result<Self, ControlError> {
        Err(ControlError::Absent)
    }

    #[cfg(feature = "server")]
    pub(super) fn audience(&self) -> &Audience {
        match *self {}
    }

    pub(super) fn into_listener(
        self,
        _: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    ) -> io::Result<TcpListener> {
        match self {}
    }
}
