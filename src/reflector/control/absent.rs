//! No control socket: systems without Unix sockets.

use std::path::Path;

use axum::Router;
use thiserror::Error;

/// Why the control socket could not be opened.
#[derive(Debug, Error)]
#[error("there are no Unix sockets on this system; start it without --control")]
pub struct ControlError;

/// There is none.
#[derive(Debug)]
pub(in crate::reflector) enum Socket {}

impl Socket {
    pub(in crate::reflector) fn open(_: &Path) -> Result<Self, ControlError> {
        Err(ControlError)
    }

    pub(in crate::reflector) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) async fn serve(self, _: Router) {
        match self {}
    }
}
