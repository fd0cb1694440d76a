//! Forgetting what VNIs no longer need, and VNIs that nobody needs.

use super::Tables;
use crate::ids::Moment;
use crate::shard::mesh::Mesh;
use crate::shard::message::Delivery;

impl Tables {
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
            } else if entry.vnet.is_empty() && !entry.is_dirty {
                self.index.remove(&entry.vnet.vni);
                self.owned.remove(id);
                if self.index.is_empty() {
                    self.index.shrink_to_fit();
                }
            }
        }
    }
}
