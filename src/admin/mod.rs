//! What answers operators: the pages, health, metrics and APIs of reflector and leaf, and the control socket.
//!
//! * `server`: what all of them share: connections and their bounds, the shell of pages, forms of tables.
//! * `reflector`: the endpoint of a reflector. It asks through [`Inspector`] alone.
//! * `control`: the reflector's control socket: the same pages, and the commands.
//! * `leaf`: the endpoint of a leaf. It asks like any other holder of a [`MetalBond`](crate::client::MetalBond).
//!
//! The reflector and the leaf know nothing of this folder: [`Reflector::start`] brings it along.
//!
//! Imports: client, ids, io, metrics, netlink, reflector, shard, sources, table, wire.

mod control;
mod leaf;
mod reflector;
mod server;

use std::net::TcpListener;
#[cfg(unix)]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::sync::oneshot;

#[cfg(unix)]
pub(crate) use control::Socket as ControlSocket;
pub use leaf::Http;

use crate::reflector::{
    ControlError, Endpoints, Inspector, Reflector, ReflectorConfig, StartError,
};

impl Reflector {
    /// Starts a reflector's threads and listens. Returns when connections are accepted; blocks for up to
    /// 5 s while an address that is to be listened on is under duplicate address detection.
    ///
    /// # Errors
    /// [`StartError`], when an address can't be listened on, io_uring was asked for by name and
    /// can't be had, or a thread can't be set up. Nothing is left running then.
    pub fn start(config: &ReflectorConfig) -> Result<Self, StartError> {
        Self::start_with::<OperatorEndpoints>(config)
    }
}

/// The HTTP endpoint and the control socket of a reflector.
#[derive(Debug)]
pub(crate) struct OperatorEndpoints;

impl Endpoints for OperatorEndpoints {
    type Socket = control::Socket;

    fn open(path: &Path) -> Result<Self::Socket, ControlError> {
        control::Socket::open(path)
    }

    #[cfg(unix)]
    fn inherit(path: &Path, socket: OwnedFd) -> Result<Self::Socket, ControlError> {
        control::Socket::inherit(path, socket)
    }

    #[cfg(unix)]
    fn descriptor(socket: &Self::Socket) -> Option<BorrowedFd<'_>> {
        socket.descriptor()
    }

    fn run(
        runtime: &tokio::runtime::Runtime,
        listener: Option<TcpListener>,
        socket: Option<Self::Socket>,
        inspector: Inspector,
        stop: oneshot::Receiver<()>,
    ) {
        reflector::run(runtime, listener, socket, inspector, stop);
    }
}
