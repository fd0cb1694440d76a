//! A connection on its way from a thread to another, or to another process.

use std::net::{SocketAddr, TcpStream};

use super::lobby::Seat;
use crate::access::SourceShare;
use crate::diary::{Detail, Follower};
use crate::ids::PeerId;
use crate::session::CloseReason;
use crate::shard::Traveller;
use crate::tls::Ending;

/// What a connection was admitted with. It counts for as long as this lives.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Among the connections of its source.
    pub(crate) place: SourceShare,
    /// Among those that wait for a HELLO, or the sessions.
    pub(crate) seat: Seat,
    /// What carries its TLS in this process, if anything does.
    pub(crate) ending: Option<Ending>,
}

/// A connection on its way, with all that belongs to it.
#[derive(Debug)]
pub(crate) struct Mover {
    pub(crate) traveller: Traveller,
    pub(crate) socket: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) admission: Admission,
    pub(crate) follower: Option<Box<Follower>>,
    /// Why it ends where it arrives, if it does.
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

    /// One that ends where it arrives.
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

    /// How the session is logged, if somebody follows it.
    pub(crate) fn followed(&self) -> Option<Detail> {
        self.follower.as_ref().map(|follower| follower.detail())
    }
}
