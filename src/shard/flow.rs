//! How much is read and taken in: what waits is bounded, and no peer or shard keeps the others waiting.

use super::inbox::Side;
use super::mesh::Request;
use super::state::{Shard, Slot};

/// Bytes read at once at most: a connection's budget in one turn.
pub(crate) const READ_MAX: usize = 64 * 1024;
/// The same where many peers wait to be read.
pub(crate) const READ_MIN: usize = 4 * 1024;

/// Whether to go on reading a peer's socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    Continue,
    /// Not before the peer is among [`Shard::take_resumed`].
    Pause,
    /// The session has ended.
    Closed,
}

impl Shard {
    /// How many bytes of a peer's socket may be read now; 0 pauses it until [`Shard::take_resumed`] lists it.
    /// Ask before each read: so what waits never grows by a read of every peer at once, and other shards
    /// never wait until every peer has been read. The more peers wait for the same turn, the less each is
    /// read.
    pub(crate) fn read_room(&mut self, slot: Slot) -> usize {
        let most = self.settings.bounds.read_per_turn;
        if self.read < most && !self.is_backed_up() {
            return (most / self.resumed.max(1)).clamp(READ_MIN, READ_MAX);
        }
        self.pause(slot);
        0
    }

    /// Lists a peer as one to resume.
    pub(super) fn pause(&mut self, slot: Slot) {
        if let Some(peer) = &mut self.peers[slot as usize]
            && !peer.is_paused
        {
            peer.is_paused = true;
            self.paused.push(slot);
        }
    }

    /// Peers whose reading may go on.
    pub(crate) fn take_resumed(&mut self) -> Vec<Slot> {
        if self.is_backed_up() {
            return Vec::new();
        }
        let resumed = std::mem::take(&mut self.paused);
        self.resumed = resumed.len();
        for &slot in &resumed {
            if let Some(peer) = &mut self.peers[slot as usize] {
                peer.is_paused = false;
            }
        }
        resumed
    }

    /// Whether requests from other shards may be handed to [`Shard::requests`].
    pub(crate) fn takes_requests(&self) -> bool {
        let room = 2 * self.settings.bounds.request_room;
        !self.is_congested() && self.inbox.cost(Side::Others) < room
    }

    /// Requests of another shard.
    pub(crate) fn requests(&mut self, parcel: Vec<Request>) {
        for request in parcel {
            self.inbox.push(Side::Others, request);
        }
    }

    /// Whether deliveries pile up: no more work that makes deliveries.
    pub(super) fn is_congested(&self) -> bool {
        self.lanes.iter().any(|lanes| lanes.deliveries.len() > self.settings.bounds.delivery_room)
    }

    /// Whether requests pile up: no more reading.
    pub(super) fn is_backed_up(&self) -> bool {
        self.is_congested()
            || self.inbox.cost(Side::Own) >= 2 * self.settings.bounds.request_room
            || self
                .lanes
                .iter()
                .any(|lanes| lanes.request_cost >= self.settings.bounds.request_room)
    }
}
