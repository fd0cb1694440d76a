//! Tables leave for another shard, and arrive from one.

use std::sync::Arc;

use super::Tables;
use super::leaving::Tenants;
use crate::ids::{PeerId, ShardId};
use crate::shard::mesh::Mesh;
use crate::shard::message::Delivery;
use crate::shard::moves::Answer;
use crate::shard::placement::{PartitionId, Partitions};
use crate::shard::slab::Handle as _;
use crate::table::Size;
use crate::wire::Vni;

impl Tables {
    /// These partitions leave when all fences are here. Their tables are served until then.
    pub(in crate::shard) fn prepare_to_leave(&mut self, partitions: Arc<Partitions>, epoch: u64) {
        if self.leaving.follow(epoch) {
            self.leaving.partitions = Some(partitions);
        }
    }

    /// One shard sends nothing more for the partitions that move.
    pub(super) fn fence(&mut self, epoch: u64, mesh: &mut Mesh) {
        if !self.leaving.follow(epoch) {
            return;
        }
        self.leaving.fences += 1;
        if self.leaving.fences == mesh.shards().count()
            && let Some(partitions) = self.leaving.partitions.take()
        {
            self.seal_for_good(&partitions, mesh);
            for shard in mesh.shards() {
                mesh.deliver(shard, Delivery::Fence { owner: self.shard, epoch });
            }
        }
    }

    /// One shard has taken in every delivery of the tables that move.
    pub(super) fn confirmed(&mut self, epoch: u64, mesh: &Mesh) {
        if !self.leaving.follow(epoch) {
            return;
        }
        self.leaving.confirms += 1;
        if self.leaving.confirms == mesh.shards().count() {
            let tables = std::mem::take(&mut self.leaving.tables);
            self.leaving.end(epoch);
            self.answers.push_back(Answer::Left { epoch, tables });
        }
    }

    /// Ends a move away from here, if the tables have not left.
    pub(in crate::shard) fn give_up(&mut self, epoch: u64) {
        let in_time = self.leaving.follow(epoch);
        if in_time {
            let tables = std::mem::take(&mut self.leaving.tables);
            self.leaving.end(epoch);
            self.put(tables);
        }
        self.answers.push_back(Answer::GivenUp { epoch, in_time });
    }

    /// Takes over tables that move here.
    pub(in crate::shard) fn take(&mut self, epoch: u64, tables: Tenants) {
        self.put(tables);
        self.answers.push_back(Answer::Taken { epoch });
    }

    /// A peer of another shard is about to move: its subscriptions go on by pulls.
    pub(super) fn relocate(
        &mut self,
        peer: PeerId,
        to: ShardId,
        vnis: &[Vni],
        mesh: &mut Mesh,
    ) -> Vec<Vni> {
        let mut in_sync = Vec::new();
        for vni in vnis {
            let Some(&id) = self.index.get(vni) else { continue };
            self.send_sealed(id, mesh);
            if self.opened(id).relocate(peer, to) {
                in_sync.push(*vni);
                self.mark_lingering(id);
            }
        }
        in_sync
    }

    /// Takes the tables of some partitions out, after sealing and sending all their changes.
    fn seal_for_good(&mut self, partitions: &Partitions, mesh: &mut Mesh) {
        let leave: Vec<_> = (0..self.owned.end())
            .map(super::TableId::at)
            .filter(|id| {
                let owned = self.owned.get(*id);
                owned.is_some_and(|it| partitions.contains(PartitionId::of(it.table.vni())))
            })
            .collect();
        for id in leave {
            if let Some(vnet) = self.owned[id].table.opened() {
                vnet.seal();
            }
            self.send_sealed(id, mesh);
            self.counting.recount(&mut self.owned[id]);
            self.weigh(id);
            let Some(entry) = self.owned.remove(id) else { continue };
            self.counting.moved(&entry.counted, &Size::default());
            self.growth.moved -= entry.weighed.into();
            self.index.remove(&entry.table.vni());
            self.leaving.tables.0.push(entry);
        }
        let Self { owned, sealing, lingering, due, untidy, departed, .. } = self;
        sealing.dirty.retain(|id| owned.get(*id).is_some());
        lingering.retain(|id| owned.get(*id).is_some());
        due.retain(|id| owned.get(*id).is_some());
        untidy.retain(|id| owned.get(*id).is_some());
        departed.retain(|id| owned.get(id).is_some());
    }

    /// Adds tables that come from elsewhere.
    pub(in crate::shard) fn put(&mut self, tables: Tenants) {
        for mut entry in tables.0 {
            (entry.is_dirty, entry.lingers, entry.is_untidy) = (false, false, false);
            entry.waits = None;
            let vni = entry.table.vni();
            let is_monitored = self.monitors.covers(vni);
            let has_work = entry.table.opened().is_some_and(|vnet| {
                vnet.is_monitored = is_monitored;
                vnet.has_work()
            });
            self.counting.moved(&Size::default(), &entry.counted);
            self.growth.moved += entry.weighed.into();
            let id = self.owned.insert(entry);
            self.index.insert(vni, id);
            self.mark_lingering(id);
            self.mark_untidy(id);
            if has_work {
                self.departed.push(id);
            }
            self.note_stale(id);
            self.review_arrived(id);
        }
    }
}
