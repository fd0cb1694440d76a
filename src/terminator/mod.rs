//! Sessions over TLS: a second listener, whose connections shake hands on a thread of their own before a shard
//! sees them.
//!
//! ```text
//!   acceptor -- Waiting --> thread tls: handshake, certificate --> thread tls-N: Pump --- socket pair --- shard
//!            <-- Secured --            (so many at once)
//! ```
//!
//! The acceptor admits a connection before its handshake, by the same rules as any other, and gives it to a shard
//! behind it. A shard serves one end of a socket pair as it serves a socket; only what closed it is asked of the
//! [`Ending`]. Handshakes are bounded in number and time; a flood of them takes what is left of the processor
//! (the thread gives way), and places of those that take long.
//!
//! Imports: access, config, diary, ids, io, session, threads, tls.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod handshakes;
#[cfg(feature = "tls")]
mod listener;
#[cfg(feature = "tls")]
mod relays;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::Terminator;
#[cfg(feature = "tls")]
pub(crate) use listener::Terminator;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crate::access::SourceShare;
use crate::ids::PeerId;
use crate::session::TlsPeer;
use crate::tls::Ending;

/// A place for a handshake, until it is dropped.
#[cfg(feature = "tls")]
type Place = tokio::sync::OwnedSemaphorePermit;

/// A connection that was admitted and is to shake hands.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "no connection ever is one"))]
pub(crate) struct Waiting {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    pub(crate) socket: TcpStream,
    pub(crate) place: SourceShare,
}

/// A connection that has shaken hands.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) peer: PeerId,
    pub(crate) remote: SocketAddr,
    /// What a shard serves.
    pub(crate) socket: TcpStream,
    pub(crate) place: SourceShare,
    pub(crate) tls: Arc<TlsPeer>,
    pub(crate) ending: Option<Ending>,
}

/// What a [`Terminator`] has for the acceptor.
#[derive(Debug)]
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "it never has anything"))]
pub(crate) enum News {
    /// A connection that wants to shake hands, and there is a place for it.
    Arrived(std::io::Result<(tokio::net::TcpStream, SocketAddr)>),
    /// One has.
    Secured(Box<Secured>),
}
