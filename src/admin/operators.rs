//! Starts a reflector together with the endpoints that answer its operators.

#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::sync::oneshot;

use super::{control, reflector};
use crate::config::{ReflectorConfig, StartError};
use crate::control::{Audience, ControlError};
use crate::http_guard::HttpGuard;
use crate::inspector::Inspector;
use crate::inspector::{Doors, Endpoints};
use crate::reflector::Reflector;
use crate::threads::Invitation;

impl Reflector {
    /// Starts a reflector. Returns when it accepts connections. Blocks for up to 5 s while duplicate address detection
    /// runs for an address on which it is to listen.
    ///
    /// # Errors
    /// [`StartError`], for example if it cannot listen on an address, if the configuration requires io_uring and the
    /// kernel does not grant it, or if a thread cannot start. Nothing is left running then.
    pub fn start(config: &ReflectorConfig) -> Result<Self, StartError> {
        Self::start_with::<OperatorEndpoints>(config)
    }

    /// The same with a guest on a shard of its own.
    ///
    /// # Errors
    /// As [`Reflector::start`].
    pub(crate) fn host(config: &ReflectorConfig, guest: Invitation) -> Result<Self, StartError> {
        Self::start_hosting::<OperatorEndpoints>(config, guest)
    }
}

/// The HTTP endpoints and the control sockets of a reflector.
#[derive(Debug)]
pub(crate) struct OperatorEndpoints;

impl Endpoints for OperatorEndpoints {
    type Socket = control::Socket;

    fn open(path: &Path, audience: &Audience) -> Result<Self::Socket, ControlError> {
        control::Socket::open_for(path, audience)
    }

    #[cfg(unix)]
    fn inherit(
        path: &Path,
        audience: &Audience,
        socket: OwnedFd,
    ) -> Result<Self::Socket, ControlError> {
        control::Socket::inherit(path, audience, socket)
    }

    #[cfg(unix)]
    fn descriptor(socket: &Self::Socket) -> Option<BorrowedFd<'_>> {
        socket.descriptor()
    }

    fn run(
        runtime: &tokio::runtime::Runtime,
        doors: Doors<Self::Socket>,
        guard: HttpGuard,
        inspector: Inspector,
        stop: oneshot::Receiver<()>,
    ) {
        reflector::run(runtime, doors, guard, inspector, stop);
    }
}
