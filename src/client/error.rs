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
    /// The leaf has this many peers, the most that it can have.
    #[error("a leaf has {0} peers at most")]
    TooManyPeers(u8),
    /// The address is not of the form `HOST:PORT`.
    #[error("peer address {0:?} is not HOST:PORT")]
    PeerAddress(String),
    /// The leaf is already subscribed to this VNI.
    #[error("already subscribed to VNI {0}")]
    AlreadySubscribed(Vni),
    /// The leaf is not subscribed to this VNI.
    #[error("not subscribed to VNI {0}")]
    NotSubscribed(Vni),
    /// The leaf announces this route already.
    #[error("already announced: {0}")]
    AlreadyAnnounced(Route),
    /// The leaf does not announce this route.
    #[error("not announced: {0}")]
    NotAnnounced(Route),
    /// An embedded reflector runs already.
    #[error("a server runs already")]
    ServerRuns,
    /// The embedded reflector cannot start.
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
    /// The connection was not made within this time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(String),
    /// The TLS handshake failed, or TLS ended with an error.
    #[error("{0}")]
    Tls(String),
    /// The server closed the connection.
    #[error("closed by the server")]
    Closed,
    /// The server sent bytes that are no valid message.
    #[error("invalid message: {0}")]
    Invalid(#[from] WireError),
    /// The first message was not HELLO (an UNSUBSCRIBE before it is ignored).
    #[error("{}", Breach::NotHello(*.0))]
    NotHello(MessageType),
    /// A second HELLO that differs from the first.
    #[error("second HELLO, which differs from the first")]
    SecondHello,
    /// A message that is valid only in an established session.
    #[error("{}", Breach::NotEstablished(*.0))]
    NotEstablished(MessageType),
    /// No message arrived within this time, two and a half intervals.
    #[error("no message within {0:?}")]
    HoldTime(Duration),
    /// The session ended and no byte sent after the handshake had been acknowledged: the path may lose large packets.
    #[error(
        "{0}; large packets do not reach the server: nothing that was sent after the handshake was \
         acknowledged; compare the MTU of all links of the path, for example by ping -M do -s 1400"
    )]
    LargePacketsLost(Box<Self>),
    /// The server announces more routes than `routes_per_peer`.
    #[error("the server announces more than {0} routes")]
    TooManyRoutes(usize),
    /// The application reset the session.
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
