//! Sessions over TLS: a second listener, and a thread that does the handshakes of its connections before a shard sees
//! them.
//!
//! ```text
//!   acceptor -- Waiting --> thread tls: handshake, certificate --> keys to the kernel: TCP socket --- shard
//!            <-- Secured --            (so many at once)       --> thread tls-N: Pump --- socket pair --- shard
//! ```
//!
//! The acceptor admits a connection before its handshake, by the same rules as any other, and gives it to a shard after
//! the handshake. If the kernel does not carry the TLS of the session, the shard serves one end of a socket pair as it
//! serves a socket; only the reason for its end comes from the [`Ending`]. Handshakes are bounded in number and time. A
//! flood of them gets only the processor time that is left over (the thread yields), and the places of handshakes that
//! take long.
//!
//! Imports: access, config, counts, diary, ids, io, relaxed, session, threads, tls.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod handshakes;
#[cfg(feature = "tls")]
mod listener;
#[cfg(feature = "tls")]
mod places;
#[cfg(feature = "tls")]
mod relays;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Terminator, Unstarted};
#[cfg(feature = "tls")]
pub(crate) use listener::{Terminator, Unstarted};

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crate::access::SourceShare;
use crate::ids::PeerId;
use crate::session::TlsPeer;
use crate::tls::Ending;

/// A place for a handshake, until it is dropped.
#[cfg(feature = "tls")]
type HandshakePermit = tokio::sync::OwnedSemaphorePermit;

/// An admitted connection before its handshake.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "no connection ever is one"))]
pub(crate) struct Waiting {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: TcpStream,
    pub(crate) place: SourceShare,
}

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    /// The socket that a shard serves.
    pub(crate) socket: TcpStream,
    pub(crate) place: SourceShare,
    pub(crate) tls: Arc<TlsPeer>,
    pub(crate) ending: Option<Ending>,
}

/// An event of a [`Terminator`] for the acceptor.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "it never has anything"))]
pub(crate) enum News {
    /// A connection has arrived, and there is a place for its handshake.
    Arrived(std::io::Result<(tokio::net::TcpStream, SocketAddr)>),
    /// A connection has completed its handshake.
    Secured(Box<Secured>),
}
