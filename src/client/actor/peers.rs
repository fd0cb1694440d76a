//! Servers come and go.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use tokio::sync::mpsc;

use super::{Actor, PeerEntry, order};
use crate::client::core::ServerSlot;
use crate::client::messages::PeerOrder;
use crate::client::peer::Peer;
use crate::client::{Error, PeerState, PeerStatus, notices};

impl Actor {
    /// The addresses of servers as they were added.
    pub(super) fn names(&self, slots: Vec<ServerSlot>) -> Vec<String> {
        let peers = slots.iter().filter_map(|slot| self.peers.get(slot));
        peers.map(|peer| peer.address.clone()).collect()
    }

    pub(super) fn find(&self, address: &str) -> Option<(ServerSlot, &PeerEntry)> {
        let found = self.peers.iter().find(|(_, peer)| peer.address == address);
        found.map(|(slot, peer)| (*slot, peer))
    }

    pub(super) fn add_peer(&mut self, address: String, local: Option<IpAddr>) -> Result<(), Error> {
        if !is_host_and_port(&address) {
            return Err(Error::PeerAddress(address));
        }
        if self.find(&address).is_some() {
            return Err(Error::PeerExists(address));
        }
        let slot = ServerSlot::first(|slot| !self.peers.contains_key(slot));
        let slot = slot.ok_or(Error::TooManyPeers(ServerSlot::MAX))?;
        self.serials += 1;
        let (orders, receiver) = mpsc::unbounded_channel();
        let peer = Peer {
            slot,
            serial: self.serials,
            address: address.clone(),
            local,
            config: self.config.clone(),
            clock: self.clock,
            events: self.event_sender.clone(),
            orders: receiver,
            established: None,
            skipped: BTreeSet::new(),
        };
        let status = PeerStatus::new(Instant::now());
        self.readers.peer_changed(&address, Some(status.clone()));
        self.leaf.added(slot);
        let task = tokio::spawn(peer.run());
        let (serial, session, ready) = (self.serials, 0, false);
        let entry = PeerEntry { address, serial, status, orders, session, ready, task };
        self.peers.insert(slot, entry);
        Ok(())
    }

    pub(super) fn reset_peer(&self, address: &str) {
        if let Some((_, peer)) = self.find(address) {
            order(&peer.orders, PeerOrder::Reset);
        }
    }

    pub(super) fn remove_peer(&mut self, address: String) -> Result<(), Error> {
        let Some((slot, peer)) = self.find(&address) else {
            return Err(Error::UnknownPeer(address));
        };
        order(&peer.orders, PeerOrder::Stop);
        self.leaf.ended(self.clock.now(), slot);
        // Changes of sync are published under the server's address, which is removed below.
        self.publish_sync();
        let removed = self.peers.remove(&slot);
        self.readers.peer_changed(&address, None);
        if removed.is_some_and(|peer| peer.status.state == PeerState::Established) {
            self.note_lost(&address);
        }
        Ok(())
    }

    /// Logs the loss of a session if no other session is established.
    pub(super) fn note_lost(&self, address: &str) {
        let is_up = |peer: &PeerEntry| peer.status.state == PeerState::Established;
        if !self.peers.values().any(is_up) {
            notices::lost(address, self.leaf.route_count(), self.config.stale_time);
        }
    }
}

/// Whether an address has the form `HOST:PORT`; names are not looked up.
fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let is_host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        None => !host.is_empty() && !host.contains([':', '[', ']']),
        Some(inner) => inner.is_some_and(|inner| inner.contains(':')),
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port != 0)
}
