//! A reflector in the leaf's process.
//!
//! The only file of the leaf that calls it: the actor knows an [`Embedded`] server and how to start it, so a
//! program that never calls [`MetalBond::start_server`](super::MetalBond::start_server) has no reflector in it.

use std::fmt;
use std::net::SocketAddr;

use crate::reflector::Reflector;
pub(super) use crate::reflector::ReflectorConfig;
pub(super) use crate::reflector::StartError;

/// A running server.
pub(super) trait Embedded: fmt::Debug + Send {
    /// The address on which it listens.
    fn listen_addr(&self) -> SocketAddr;

    /// Ends it, and waits for its end.
    fn stop(self: Box<Self>);
}

/// The result of starting a server.
pub(super) type StartedServer = Result<Box<dyn Embedded>, StartError>;

/// Starts a server. Blocks until it runs.
pub(super) struct StartServer(Box<dyn FnOnce() -> StartedServer + Send>);

impl StartServer {
    /// Starts a reflector.
    pub(super) fn reflector(config: ReflectorConfig) -> Self {
        Self(Box::new(move || Ok(Box::new(Reflector::start(&config)?))))
    }

    /// See the type.
    pub(super) fn run(self) -> StartedServer {
        (self.0)()
    }
}

impl fmt::Debug for StartServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartServer").finish_non_exhaustive()
    }
}

impl Embedded for Reflector {
    fn listen_addr(&self) -> SocketAddr {
        Self::listen_addr(self)
    }

    fn stop(self: Box<Self>) {
        Self::stop(*self);
    }
}
