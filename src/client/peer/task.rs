//! The state of a peer task, between sessions and during them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::client::clock::Clock;
use crate::client::core::ServerSlot;
use crate::client::messages::{ActorEvent, PeerEvent, PeerOrder};
use crate::client::{LeafConfig, SessionError};
use crate::session::Skipped;

/// What a peer task is started with.
#[derive(Debug)]
pub(in crate::client) struct Peer {
    pub(in crate::client) slot: ServerSlot,
    pub(in crate::client) serial: u64,
    /// HOST:PORT; the name is resolved at each attempt.
    pub(in crate::client) address: String,
    /// The address to connect from.
    pub(in crate::client) local: Option<IpAddr>,
    pub(in crate::client) config: LeafConfig,
    pub(in crate::client) clock: Clock,
    pub(in crate::client) events: mpsc::Sender<ActorEvent>,
    pub(in crate::client) orders: mpsc::UnboundedReceiver<PeerOrder>,
    /// When the current or last session became established.
    pub(in crate::client) established: Option<Instant>,
    /// Reasons for skipped messages of this server that the log has already.
    pub(in crate::client) skipped: BTreeSet<&'static str>,
}

/// Why a session, or the whole task, ends.
#[derive(Debug)]
pub(super) enum SessionEnd {
    Session(SessionError),
    /// Connect again without a pause.
    Reset(SessionError),
    Task,
}

impl From<SessionError> for SessionEnd {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl Peer {
    /// Sends an event to the actor; `Err` when the actor is gone.
    pub(super) async fn send(&self, event: PeerEvent) -> Result<(), SessionEnd> {
        let (slot, serial) = (self.slot, self.serial);
        let sent = self.events.send(ActorEvent::Peer { slot, serial, event }).await;
        sent.map_err(|_| SessionEnd::Task)
    }

    /// A message of the server was skipped. It is likely to send the same in each session, so the log
    /// has each reason once.
    pub(super) fn skipped(&mut self, skipped: Skipped) {
        let reason = skipped.name();
        if self.skipped.insert(reason) {
            warn!(
                peer = self.address,
                reason,
                "skipped a message that makes no sense ({skipped}); further messages like it are \
                 only counted"
            );
        }
    }

    /// A session is established with this node.
    pub(super) fn established(&mut self, node: &str) {
        self.established = Some(Instant::now());
        info!(peer = self.address, node, "session established");
    }
}
