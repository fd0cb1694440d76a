//! A connection on its way to another shard or another process.

use std::net::{SocketAddr, TcpStream};

use super::lobby::Seat;
use crate::access::SourceShare;
use crate::diary::{Detail, Follower};
use crate::ids::PeerId;
use crate::session::CloseReason;
use crate::shard::Traveller;
use crate::tls::Ending;

/// The places that a connection holds in the limits. The places are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Its place among the connections of its source.
    pub(crate) place: SourceShare,
    /// Its place among the connections that wait for a HELLO, then among the sessions.
    pub(crate) seat: Seat,
    /// The handle of the pump that carries its TLS, if a thread of this process does that.
    pub(crate) ending: Option<Ending>,
}

/// A connection on its way, with everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Mover {
    pub(crate) traveller: Traveller,
    pub(crate) socket: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) admission: Admission,
    pub(crate) follower: Option<Box<Follower>>,
    /// The reason for which the connection ends on arrival, if it ends there.
    pub(crate) ends: Option<CloseReason>,
}

impl Mover {
    pub(crate) fn new(
        traveller: Traveller,
        socket: TcpStream,
        remote: SocketAddr,
        admission: Admission,
        follower: Option<Box<Follower>>,
    ) -> Self {
        Self { traveller, socket, remote, admission, follower, ends: None }
    }

    /// The same connection, which ends on arrival.
    pub(crate) fn ending(mut self, reason: CloseReason) -> Self {
        self.ends = Some(reason);
        self
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.traveller.peer()
    }

    pub(crate) fn traveller(&self) -> &Traveller {
        &self.traveller
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// How the log follows the session, if an operator follows it.
    pub(crate) fn followed(&self) -> Option<Detail> {
        self.follower.as_ref().map(|follower| follower.detail())
    }
}
