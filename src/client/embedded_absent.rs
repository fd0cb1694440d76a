//! Replaces `embedded` in a build without the feature `server`: values of these types never exist.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;

/// Why a server did not start.
#[derive(Debug)]
pub(super) struct StartError(Infallible);

impl From<StartError> for super::Error {
    fn from(error: StartError) -> Self {
        match error.0 {}
    }
}

/// A running server.
pub(super) trait Embedded: fmt::Debug + Send {
    /// The address on which it listens.
    fn listen_addr(&self) -> SocketAddr;

    /// Ends it, and waits for its end.
    fn stop(self: Box<Self>);
}

/// The result of starting a server.
pub(super) type StartedServer = Result<Box<dyn Embedded>, StartError>;

/// Starts a server.
#[derive(Debug)]
pub(super) struct StartServer(Infallible);

impl StartServer {
    /// See the type.
    pub(super) fn run(self) -> StartedServer {
        match self.0 {}
    }
}
