//! What can go wrong with an operation, and with a session.

use std::time::Duration;

use thiserror::Error;

use super::Route;
#[cfg(feature = "server")]
use super::embedded::StartError;
use crate::wire::{Breach, MessageType, Vni, WireError};

/// Why an operation was not carried out. Nothing has changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The leaf has been shut down.
    #[error("the leaf has been shut down")]
    Stopped,
    /// This address is a peer already.
    #[error("{0} is a peer already")]
    PeerExists(String),
    /// There is no such peer.
    #[error("{0} is not a peer")]
    UnknownPeer(String),
    /// No more peers than these can be had.
    #[error("a leaf has {0} peers at most")]
    TooManyPeers(u8),
    /// The address is not one that could be connected to.
    #[error("peer address {0:?} is not HOST:PORT")]
    PeerAddress(String),
    /// Subscribed to already.
    #[error("already subscribed to VNI {0}")]
    AlreadySubscribed(Vni),
    /// Not subscribed to.
    #[error("not subscribed to VNI {0}")]
    NotSubscribed(Vni),
    /// Announced already.
    #[error("already announced: {0}")]
    AlreadyAnnounced(Route),
    /// Not announced.
    #[error("not announced: {0}")]
    NotAnnounced(Route),
    /// A server runs already.
    #[error("a server runs already")]
    ServerRuns,
    /// The server can't be started.
    #[cfg(feature = "server")]
    #[error(transparent)]
    Server(#[from] StartError),
}

/// Why a session, or an attempt at one, ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The name has no address at present.
    #[error("cannot resolve the address: {0}")]
    Resolve(String),
    /// The connection could not be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection could not be made in time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(String),
    /// TLS could not be had, or ended.
    #[error("{0}")]
    Tls(String),
    /// The server closed it.
    #[error("closed by the server")]
    Closed,
    /// Bytes that are no valid message.
    #[error("invalid message: {0}")]
    Invalid(#[from] WireError),
    /// The first message was another one than HELLO (an UNSUBSCRIBE before it is ignored).
    #[error("first message is {0:?}, not HELLO")]
    NotHello(MessageType),
    /// A second HELLO that says something else than the first.
    #[error("second HELLO, which differs from the first")]
    SecondHello,
    /// A message that only an established session may carry.
    #[error("{0:?} before the session was established")]
    NotEstablished(MessageType),
    /// No message within two and a half intervals.
    #[error("no message within {0:?}")]
    HoldTime(Duration),
    /// The session ended when nothing of what was sent after the handshake had been acknowledged.
    #[error(
        "{0}; large packets do not reach the server: nothing that was sent after the handshake was \
         acknowledged; compare the MTU of all links of the path, for example by ping -M do -s 1400"
    )]
    LargePacketsLost(Box<Self>),
    /// More routes than `routes_per_peer`.
    #[error("the server announces more than {0} routes")]
    TooManyRoutes(usize),
    /// The application asked for it.
    #[error("reset")]
    Reset,
}

impl From<Breach> for SessionError {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::NotHello(kind) => Self::NotHello(kind),
            Breach::NotEstablished(kind) => Self::NotEstablished(kind),
        }
    }
}
