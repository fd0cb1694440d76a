//! When changes are sealed, and where the batches go.

use std::time::Duration;

use super::{TableId, Tables};
use crate::ids::Moment;
use crate::shard::mesh::Mesh;
use crate::shard::message::Delivery;
use crate::table::Audience;

/// The pause for each send. A send costs 2.2 us in the kernel up to 4 KB and 4.3 us at 38 KB, and a little outside
/// of it, so sends take about a third of the time.
const SEND_PAUSE: Duration = Duration::from_micros(8);

/// The number of changes of a VNI for which a send to each subscriber is worth its cost: some 1 KB of frames.
const ENOUGH: usize = 32;

impl Tables {
    /// A peer of this shard has been sent bytes.
    pub(in crate::shard) fn sent(&mut self, now: Moment) {
        self.sealing.last_send = now;
        self.sealing.sends = self.sealing.sends.saturating_add(1);
    }

    /// Whether there are changes to seal.
    pub(in crate::shard) fn is_dirty(&self) -> bool {
        !self.sealing.dirty.is_empty()
    }

    /// When to seal the changes, if there are any.
    ///
    /// At once, if there are so many changes that the cost of sends does not matter. Else after a pause
    /// behind the last sends, about twice as long as they took. So a reflector with little to do
    /// sends at once, and one with much to do spends a third of its time on sends. In any case within the
    /// batch delay, whatever is written meanwhile.
    pub(in crate::shard) fn seal_at(&mut self, now: Moment) -> Option<Moment> {
        let sealing = &mut self.sealing;
        if sealing.dirty.is_empty() {
            return None;
        }
        let since = *sealing.dirty_since.get_or_insert(now);
        if sealing.gathered >= ENOUGH * sealing.dirty.len() {
            return Some(now);
        }
        let pause = SEND_PAUSE * sealing.sends.saturating_add(sealing.remote_sends);
        Some((sealing.last_send + pause).min(since + self.settings.batch_delay))
    }

    /// Seals every VNI with changes and sends the batches on.
    pub(in crate::shard) fn seal_dirty(&mut self, now: Moment, mesh: &mut Mesh) {
        for id in self.sealing.begin(now) {
            let entry = &mut self.owned[id];
            entry.is_dirty = false;
            let vnet = entry.table.open();
            vnet.seal();
            let given_up = vnet.trim(false);
            self.counting.recount(entry);
            let vni = entry.table.vni();
            self.send_sealed(id, mesh);
            for (shard, peer) in given_up {
                mesh.deliver(shard, Delivery::TooFarBehind { peer, vni });
            }
            self.mark_lingering(id);
            self.mark_untidy(id);
        }
    }

    /// Sends the sealed batches of a VNI to every shard with subscribers in sync.
    pub(super) fn send_sealed(&mut self, id: TableId, mesh: &mut Mesh) {
        let Some(vnet) = self.owned[id].table.opened() else { return };
        for (audience, batch) in vnet.take_sealed() {
            self.counting.batch();
            if audience == Audience::Clients {
                self.monitors.sealed(&batch);
            }
            for shard in mesh.shards() {
                let subscribers = vnet.in_sync_on(shard, audience);
                if subscribers == 0 {
                    continue;
                }
                if shard != self.shard {
                    let sealing = &mut self.sealing;
                    sealing.remote_sends = sealing.remote_sends.max(subscribers);
                }
                mesh.deliver(shard, Delivery::Batch { audience, batch: batch.clone() });
            }
        }
    }
}
