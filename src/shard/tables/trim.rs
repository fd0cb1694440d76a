//! Forgetting what VNIs no longer need, and VNIs that nobody needs.

use super::{TableId, Tables};
use crate::ids::Moment;
use crate::shard::mesh::Mesh;
use crate::shard::message::Delivery;

/// Journal entries of one VNI that a turn forgets, beside those that each seal forgets: some 0.3 ms.
const PORTION: usize = 2048;

impl Tables {
    /// Whether trims have left something to forget.
    pub(in crate::shard) fn is_untidy(&self) -> bool {
        !self.untidy.is_empty()
    }

    /// Forgets a portion of it. VNIs take turns.
    pub(in crate::shard) fn tidy(&mut self) {
        let Some(id) = self.untidy.pop_front() else { return };
        let entry = &mut self.owned[id];
        entry.is_untidy = false;
        entry.vnet.tidy(PORTION);
        self.counting.recount(entry);
        self.mark_untidy(id);
    }

    /// Lists a VNI as having something to forget, if it has.
    pub(super) fn mark_untidy(&mut self, id: TableId) {
        let entry = &mut self.owned[id];
        if !entry.is_untidy && entry.vnet.is_untidy() {
            entry.is_untidy = true;
            self.untidy.push_back(id);
        }
    }

    /// A tick: looks at each VNI in which something has happened since the tick before.
    pub(in crate::shard) fn trim_lingering(&mut self, now: Moment, mesh: &mut Mesh) {
        for id in std::mem::take(&mut self.lingering) {
            let entry = &mut self.owned[id];
            entry.lingers = false;
            entry.vnet.expire(now);
            let given_up = entry.vnet.trim(true);
            self.counting.recount(entry);
            let lingers = entry.vnet.lingers();
            if let Some((shard, peer)) = given_up {
                mesh.deliver(shard, Delivery::TooFarBehind { peer });
            }
            if lingers {
                self.mark_lingering(id);
                self.mark_untidy(id);
            } else if entry.vnet.is_empty() && !entry.is_dirty && !entry.is_untidy {
                self.index.remove(&entry.vnet.vni);
                self.owned.remove(id);
                if self.index.is_empty() {
                    self.index.shrink_to_fit();
                }
            }
        }
    }
}
