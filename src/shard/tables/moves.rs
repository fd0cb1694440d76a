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
            // The fences come behind everything about these tables.
            self.tell_refusals(mesh);
            self.tell_lost_stale(mesh);
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

    /// A peer of another shard is about to move: its subscriptions go on by pulls. A VNI that is packed stays so.
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
            let table = &mut self.owned[id].table;
            if table.relocate(peer, to) {
                in_sync.push(*vni);
                if table.opened().is_some() {
                    self.mark_lingering(id);
                }
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
            let vni = entry.table.vni();
            let is_monitored = self.monitors.covers(vni);
            let has_work = entry.table.opened().is_some_and(|vnet| {
                vnet.is_monitored = is_monitored;
                vnet.ahead_since = None;
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

#[cfg(test)]
mod tests {
    use ahash::RandomState;

    use super::*;
    use crate::ids::Moment;
    use crate::policy::{Rights, Selection};
    use crate::shard::ShardConfig;
    use crate::shard::message::Request;
    use crate::shard::owners::Owners;
    use crate::table::{Announcement, Origin};
    use crate::wire::{Action, Destination, NextHop};

    const HERE: ShardId = ShardId(0);
    const VNIS: u32 = 5000;
    const WORK: usize = 1024;

    fn origin(peer: u64) -> Origin {
        let (rights, selection) = (Rights::default(), Selection::default());
        Origin { peer: PeerId(peer), shard: HERE, is_server: false, rights, selection }
    }

    fn vnis() -> impl Iterator<Item = Vni> {
        (0..VNIS).map(Vni)
    }

    /// Serves until no request waits. Returns the deliveries of each turn.
    fn serve(tables: &mut Tables, mesh: &mut Mesh) -> Vec<Vec<Delivery>> {
        let mut turns = Vec::new();
        while !tables.is_idle() {
            tables.serve_waiting(Moment(0), mesh);
            turns.push(std::iter::from_fn(|| mesh.take_own()).collect());
        }
        turns
    }

    /// The second peer asks for news of every VNI. Returns of how many it is in sync then, and of how many it got news.
    fn ask_all(tables: &mut Tables, mesh: &mut Mesh) -> (u32, u32) {
        for vni in vnis() {
            let (peer, shard, subscription) = (PeerId(2), HERE, 0);
            tables.request(Request::Pull { peer, shard, vni, subscription });
        }
        let mut answers = (0, 0);
        for delivery in serve(tables, mesh).into_iter().flatten() {
            let Delivery::Chunk { chunk, .. } = delivery else { continue };
            answers.0 += u32::from(chunk.in_sync);
            answers.1 += u32::from(chunk.batch.is_some());
        }
        answers
    }

    fn open(tables: &Tables) -> usize {
        tables.owned.iter().filter(|(_, entry)| !entry.table.rests()).count()
    }

    /// The first peer announces a prefix of this length.
    fn announce(tables: &mut Tables, vni: Vni, length: u8) {
        let announcement = Announcement {
            action: Action::Add,
            destination: Destination::new([10, 0, 0, 0].into(), length).unwrap(),
            next_hop: NextHop::standard(std::net::Ipv6Addr::LOCALHOST.into()),
        };
        tables.update_now(origin(1), vni, &[announcement], i64::MAX, Moment(0));
    }

    /// Packed VNIs with one route, of which one peer announces all and another receives all.
    fn idle(tables: &mut Tables, mesh: &mut Mesh) {
        for vni in vnis() {
            announce(tables, vni, 8);
            tables.request(Request::Subscribe {
                origin: origin(2),
                vni,
                received: Moment(0),
                is_retry: false,
            });
        }
        assert_eq!(ask_all(tables, mesh), (VNIS, VNIS));
        for tick in 0..20 {
            tables.seal_dirty(Moment(0), mesh);
            while mesh.take_own().is_some() {}
            tables.trim_lingering();
            while tables.is_untidy() {
                tables.tidy(Moment(tick * 10_000_000), mesh);
            }
        }
        assert_eq!(open(tables), 0);
    }

    #[test]
    fn a_peer_with_many_idle_vnis_moves_in_portions_and_opens_none() {
        let mut settings = ShardConfig::default();
        settings.bounds.work_per_turn = WORK;
        let (settings, hasher) = (Arc::new(settings), RandomState::with_seeds(1, 2, 3, 4));
        let mut mesh = Mesh::new(HERE, 1.into(), &settings.bounds, &hasher);
        let mut tables = Tables::new(HERE, settings, hasher, Moment(0));
        idle(&mut tables, &mut mesh);
        Owners { mesh: &mut mesh, tables: &mut tables }.relocate(origin(2), HERE, vnis(), 1);
        let (mut moved, mut is_done) = (0, false);
        for turn in serve(&mut tables, &mut mesh) {
            let before = moved;
            for delivery in turn {
                let Delivery::Relocated { vnis, is_last, .. } = delivery else { continue };
                assert!(!is_done, "the last answer comes last");
                (moved, is_done) = (moved + vnis.len(), is_last);
            }
            assert!(moved - before <= WORK, "{} in one turn", moved - before);
        }
        assert_eq!((moved, is_done, open(&tables)), (VNIS as usize, true, 0));
        // Until it asks at its new place, it gets nothing.
        announce(&mut tables, Vni(7), 16);
        tables.seal_dirty(Moment(0), &mut mesh);
        assert!(mesh.take_own().is_none());
        assert_eq!(ask_all(&mut tables, &mut mesh), (VNIS, 1));
        assert_eq!(open(&tables), 1);
    }
}
