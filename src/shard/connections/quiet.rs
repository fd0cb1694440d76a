//! Begins and ends the holds of quiet peers: see [`Holds`](super::holds::Holds).

use super::{Connections, Peer, Slot};
use crate::ids::Moment;
use crate::shard::output::{Output, Outputs};

impl Connections {
    /// A peer has sent another message when a KEEPALIVE was due.
    pub(super) fn disturb(outputs: &mut Outputs, slot: Slot, peer: &mut Peer) {
        peer.quiet.disturb();
        if std::mem::take(&mut peer.is_held) {
            outputs.push(Output::Hold(slot, false));
        }
    }

    /// Begins the holds that are due and ends the holds that are over. Returns when the next one begins or ends.
    pub(in crate::shard) fn see_to_holds(&mut self, now: Moment) -> Option<Moment> {
        while let Some((due, slot)) = self.holds.first() {
            if due > now {
                return Some(due);
            }
            self.holds.pop();
            let Some(peer) = self.peers.get_mut(slot) else { continue };
            let Some(hold) = peer.quiet.hold() else { continue };
            if peer.is_held && hold.until == due {
                peer.is_held = false;
                peer.quiet.end_hold();
                self.outputs.push(Output::Hold(slot, false));
            } else if !peer.is_held && hold.from == due {
                peer.is_held = true;
                self.holds.push(hold.until, slot);
                self.outputs.push(Output::Hold(slot, true));
            }
        }
        None
    }

    /// The driver has read the bytes that waited for the end of a peer's hold.
    pub(in crate::shard) fn fetched(&mut self, slot: Slot) {
        if let Some(peer) = self.peers.get_mut(slot) {
            peer.quiet.fetched();
        }
    }
}
