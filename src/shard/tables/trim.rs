//! Forgetting what VNIs no longer need, and VNIs that nobody needs.

use super::{TableId, Tables};
use crate::ids::Moment;
use crate::shard::mesh::Mesh;
use crate::shard::message::Delivery;
use crate::table::Size;

/// The number of VNIs with changes since the last tick that a turn looks at.
const TABLES: usize = 256;
/// Journal entries of one VNI that a turn forgets, beside those that each seal forgets: some 0.3 ms of work.
const PORTION: usize = 2048;

impl Tables {
    /// A tick: turns are to look at each VNI that has changed since the tick before.
    pub(in crate::shard) fn trim_lingering(&mut self) {
        self.due.append(&mut self.lingering);
    }

    /// Whether [`Tables::tidy`] has anything to do.
    pub(in crate::shard) fn is_untidy(&self) -> bool {
        !self.untidy.is_empty() || !self.due.is_empty()
    }

    /// Forgets a portion of what VNIs can forget. VNIs take turns.
    pub(in crate::shard) fn tidy(&mut self, now: Moment, mesh: &mut Mesh) {
        for id in self.due.split_off(self.due.len().saturating_sub(TABLES)) {
            self.trim(now, id, mesh);
        }
        let Some(id) = self.untidy.pop_front() else { return };
        let entry = &mut self.owned[id];
        entry.is_untidy = false;
        entry.table.open().tidy(PORTION);
        self.counting.recount(entry);
        self.mark_untidy(id);
    }

    fn trim(&mut self, now: Moment, id: TableId, mesh: &mut Mesh) {
        self.note_wanted(id, mesh);
        let entry = &mut self.owned[id];
        entry.lingers = false;
        if entry.table.rests() {
            return;
        }
        let vnet = entry.table.open();
        vnet.expire(now);
        let given_up = vnet.trim(true);
        let (lingers, is_empty) = (vnet.lingers(), vnet.is_empty());
        self.counting.recount(entry);
        let vni = entry.table.vni();
        for (shard, peer) in given_up {
            mesh.deliver(shard, Delivery::TooFarBehind { peer, vni });
        }
        if lingers {
            self.mark_lingering(id);
            self.mark_untidy(id);
            return;
        }
        let is_busy = entry.is_dirty || entry.is_untidy;
        if is_empty && !is_busy {
            self.index.remove(&entry.table.vni());
            self.weigh(id);
            self.growth.grown.vnis -= 1;
            self.owned.remove(id);
            if self.index.is_empty() {
                self.index.shrink_to_fit();
            }
        } else if is_busy || entry.quiet < self.settings.bounds.table.pack_after {
            entry.quiet = entry.quiet.saturating_add(1);
            entry.lingers = true;
            self.lingering.push(id);
        } else {
            entry.table.pack();
            self.counting.recount(entry);
        }
    }

    /// Packs a VNI that was packed before a pull, or that has no routes, and does not wait until it is quiet. So a crowd
    /// that subscribes, each peer to a VNI of its own, has one VNI open at a time; as has a peer that has moved and asks
    /// for news of all its VNIs. Returns whether it packed.
    pub(super) fn pack_at_once(&mut self, id: TableId, was_packed: bool) -> bool {
        let entry = &mut self.owned[id];
        let Size { routes, tombstones, journal, filtered, .. } = entry.table.size();
        let is_small = was_packed || [routes, tombstones, journal, filtered] == [0; 4];
        if entry.is_dirty || entry.is_untidy || !is_small {
            return false;
        }
        entry.table.pack();
        self.counting.recount(entry);
        entry.table.opened().is_none()
    }

    /// Lists a VNI as having something to forget, if it has.
    pub(super) fn mark_untidy(&mut self, id: TableId) {
        let entry = &mut self.owned[id];
        if !entry.is_untidy && entry.table.opened().is_some_and(|vnet| vnet.is_untidy()) {
            entry.is_untidy = true;
            self.untidy.push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ahash::RandomState;

    use super::*;
    use crate::ids::{PeerId, ShardId};
    use crate::policy::{Rights, Selection};
    use crate::shard::ShardConfig;
    use crate::shard::message::Request;
    use crate::table::{Announcement, Origin};
    use crate::wire::{Action, Destination, NextHop, Vni};

    const NOW: Moment = Moment(0);

    fn is_packed(tables: &mut Tables, id: TableId) -> bool {
        tables.owned[id].table.opened().is_none()
    }

    fn rest(tables: &mut Tables, mesh: &mut Mesh) {
        for tick in 0..20 {
            tables.seal_dirty(NOW, mesh);
            while mesh.take_own().is_some() {}
            tables.trim_lingering();
            while tables.is_untidy() {
                tables.tidy(Moment(tick * 10_000_000), mesh);
            }
        }
    }

    #[test]
    fn a_vni_is_packed_again_whoever_opened_it() {
        let settings = Arc::new(ShardConfig::default());
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut mesh = Mesh::new(ShardId(0), 1.into(), &settings.bounds, &hasher);
        let mut tables = Tables::new(ShardId(0), settings, hasher, NOW);
        let (vni, peer) = (Vni(7), PeerId(1));
        let origin = Origin {
            peer,
            shard: ShardId(0),
            is_server: false,
            rights: Rights::default(),
            selection: Selection::default(),
        };
        let announcement = Announcement {
            action: Action::Add,
            destination: Destination::new([10, 0, 0, 0].into(), 8).unwrap(),
            next_hop: NextHop::standard(std::net::Ipv6Addr::LOCALHOST.into()),
        };
        tables.update_now(origin, vni, &[announcement], i64::MAX, NOW);
        let &id = tables.index.get(&vni).unwrap();
        assert!(!is_packed(&mut tables, id));
        rest(&mut tables, &mut mesh);
        assert!(is_packed(&mut tables, id));
        tables.send_sealed(id, &mut mesh);
        assert!(is_packed(&mut tables, id), "it has sealed nothing");
        // The requests of a peer that is no member, of a peer that goes on taking part, and of a peer that moves.
        let stranger = Origin { peer: PeerId(9), ..origin };
        tables.serve(NOW, Request::Leave { peer: stranger.peer, vni }, &mut mesh);
        rest(&mut tables, &mut mesh);
        assert!(is_packed(&mut tables, id));
        tables.serve(NOW, Request::Forget { origin, vni, version: 1 }, &mut mesh);
        rest(&mut tables, &mut mesh);
        assert!(is_packed(&mut tables, id));
        tables.relocate(peer, ShardId(0), &[vni], &mut mesh);
        rest(&mut tables, &mut mesh);
        assert!(is_packed(&mut tables, id));
    }
}
