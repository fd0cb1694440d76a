//! How much is read, and of whom: what waits is bounded, and no peer keeps the others waiting.

use super::{Connections, Slot};
use crate::shard::config::{READ_MAX, READ_MIN};
use crate::shard::output::Output;
use crate::shard::owners::Owners;

/// Whether to go on reading a peer's socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    Continue,
    /// Read on after an [`Output::Resumed`].
    Pause,
    /// The session has ended.
    Closed,
}

impl Connections {
    /// How many bytes of a peer's socket may be read now; 0 pauses it until [`Output::Resumed`].
    /// Ask before each read: then the waiting bytes never grow by a read of every peer at once, and other shards
    /// never wait until every peer has been read. The more peers wait for the same turn, the fewer bytes of each are
    /// read.
    pub(in crate::shard) fn read_room(&mut self, slot: Slot, owners: &mut Owners<'_>) -> usize {
        let most = self.settings.bounds.read_per_turn;
        if self.peers[slot].departure.is_some() {
            return 0;
        }
        let peer = self.peers[slot].id;
        if self.reading.read < most && !owners.is_backed_up() && !owners.keeps_waiting(peer) {
            return (most / self.reading.resumed.max(1)).clamp(READ_MIN, READ_MAX);
        }
        self.pause(slot, owners);
        0
    }

    /// A turn begins: peers may be read again.
    pub(in crate::shard) fn begin_turn(&mut self) {
        self.reading.read = 0;
    }

    /// Stops reading a peer for now. If its own requests wait, it is resumed when few enough of them wait.
    pub(super) fn pause(&mut self, slot: Slot, owners: &mut Owners<'_>) {
        let peer = &mut self.peers[slot];
        if peer.is_paused || peer.is_closed {
            return;
        }
        peer.is_paused = true;
        if owners.keeps_waiting(peer.id) {
            owners.await_drained(peer.id);
        } else {
            self.reading.paused.push(slot);
        }
    }

    /// Lists the peers whose reading may go on.
    pub(in crate::shard) fn resume(&mut self, owners: &mut Owners<'_>) {
        while let Some(peer) = owners.take_drained() {
            let Some(&slot) = self.by_id.get(&peer) else { continue };
            if owners.keeps_waiting(peer) {
                owners.await_drained(peer); // its requests wait in another queue
            } else if self.peers[slot].departure.is_none() {
                self.reading.paused.push(slot);
            }
        }
        if self.reading.paused.is_empty() || owners.is_backed_up() {
            return;
        }
        self.reading.resumed = self.reading.paused.len();
        for slot in self.reading.paused.drain(..) {
            if let Some(peer) = self.peers.get_mut(slot)
                && peer.departure.is_none()
                && std::mem::take(&mut peer.is_paused)
                && !peer.is_closed
            {
                self.outputs.push(Output::Resumed(slot));
            }
        }
    }
}
