//! No control socket: systems without Unix sockets.

use std::path::Path;

use axum::Router;

use crate::reflector::{Audience, ControlError};

/// There is none.
#[derive(Debug)]
pub(crate) enum Socket {}

impl Socket {
    pub(in crate::admin) fn open(_: &Path, _: &Audience) -> Result<Self, ControlError> {
        Err(ControlError::Absent)
    }

    pub(super) fn audience(&self) -> &Audience {
        match *self {}
    }

    pub(super) async fn serve(self, _: Router, _: crate::reflector::Inspector) {
        match self {}
    }
}
