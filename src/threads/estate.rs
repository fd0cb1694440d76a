//! Everything that a reflector serves, on its way to another process.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use super::error::InspectError;
use super::ledger::Ledger;
use super::mover::Mover;
use crate::diary::Detail;
use crate::ids::{Moment, PeerId};
use crate::portable::form::piece::Kind;
use crate::shard::moves::Handover;
use crate::shard::snapshot;

/// The process that serves the sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    /// This process.
    #[default]
    Here,
    /// No process, while everything is on its way.
    UnderWay,
    /// Another process.
    Gone,
}

/// Why the connections and tables could not leave.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum NotFrozen {
    /// A shard did not answer in time.
    #[error("a shard did not let its sessions go within {0:?}")]
    Late(Duration),
    /// The reflector stops.
    #[error("the reflector stops")]
    Stopped,
}

impl From<InspectError> for NotFrozen {
    fn from(InspectError::Stopped: InspectError) -> Self {
        Self::Stopped
    }
}

/// Everything that has left a reflector's shards. `Inspector::thaw` gives it back; `Inspector::handed_over` says that
/// another process has it. If it is dropped otherwise, all sessions end.
#[derive(Debug)]
pub(crate) struct Estate {
    pub(crate) handover: Handover<Mover>,
    pub(crate) now: Moment,
    pub(crate) ledger: Ledger,
    /// The link's state with other sites.
    pub(crate) link: Vec<Kind>,
}

impl Estate {
    /// The state that belongs to no table and no connection.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The sockets of all connections, with their numbers, remote addresses, and how the log follows them.
    pub(crate) fn sockets(
        &self,
    ) -> impl Iterator<Item = (PeerId, SocketAddr, Option<Detail>, BorrowedFd<'_>)> {
        let connections = self.handover.connections();
        connections.map(|it| (it.peer(), it.remote(), it.followed(), it.socket().as_fd()))
    }

    /// Gives the pieces of a snapshot to `each`, in order. Cost: a few hundred ns per route.
    pub(crate) fn snapshot(&self, each: &mut impl FnMut(Kind)) {
        let connections = self.handover.connections().map(Mover::traveller);
        snapshot(self.now, connections, &self.link, self.handover.tables(), each);
    }
}

/// A request to the balancer.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Let all connections and tables leave the shards.
    Freeze(oneshot::Sender<Result<Estate, NotFrozen>>),
    /// Put them back.
    Thaw(Box<Estate>, oneshot::Sender<()>),
}
