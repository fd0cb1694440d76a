//! VNIs with routes of peers that are gone without a word, and when their time is over.

use std::collections::BTreeSet;

use super::Tables;
use super::owned::TableId;
use crate::ids::{Kin, Moment, PeerId};
use crate::shard::mesh::Mesh;
use crate::shard::message::Counted;
use crate::shard::message::Delivery;
use crate::table::{Hold, Origin};
use crate::wire::Vni;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Stale {
    /// When to look at which table. The table may be gone by then, or be due at another time.
    due: BTreeSet<(Moment, TableId)>,
    /// Peers that announce fewer routes than their shards count, the difference, and their present number of routes.
    lost: Vec<(Vni, Origin, i64, u32)>,
}

impl Tables {
    /// A peer's session ended without notice: its routes stay for a time.
    pub(super) fn hold(&mut self, vni: Vni, peer: PeerId, hold: Hold, mesh: &mut Mesh) {
        let Some(&id) = self.index.get(&vni) else { return };
        let Some(filtered) = self.opened(id).hold(peer, hold) else {
            return self.leave(id, peer, mesh);
        };
        if filtered > 0 {
            self.counting.recount(&mut self.owned[id]); // its filtered routes are gone at once
        }
        self.note_stale(id);
        self.mark_dirty(id);
        self.mark_lingering(id);
        self.note_wanted(id, mesh);
    }

    /// A peer takes part in a VNI for the first time: it takes over the routes that it, or its kin, announced before.
    pub(super) fn adopt(&mut self, origin: Origin, vni: Vni, kin: Kin, mesh: &mut Mesh) {
        let Some(&id) = self.index.get(&vni) else { return };
        let Some(vnet) = self.owned[id].table.opened() else { return };
        let Some(adopted) = vnet.adopt(origin, kin) else { return };
        let routes = adopted.routes;
        let counted = Counted::change(vni, routes.into(), routes);
        mesh.deliver(origin.shard, Delivery::Announced { peer: origin.peer, counted });
        if adopted.is_to_judge {
            self.begin_review(id);
        }
    }

    /// Notes when to look at the stale routes of a VNI, if it has some.
    pub(super) fn note_stale(&mut self, id: TableId) {
        let until = self.owned[id].table.opened().and_then(|vnet| vnet.stale_until());
        self.stale.due.extend(until.map(|until| (until, id)));
    }

    /// When the time of the first stale routes is over.
    pub(in crate::shard) fn stale_until(&self) -> Option<Moment> {
        self.stale.due.first().map(|(until, _)| *until)
    }

    /// Has stale routes withdrawn when their time is over.
    pub(in crate::shard) fn expire_stale(&mut self, now: Moment) {
        while let Some(&(until, id)) = self.stale.due.first()
            && until <= now
        {
            self.stale.due.pop_first();
            let Some(entry) = self.owned.get_mut(id) else { continue };
            let Some(vnet) = entry.table.opened() else { continue };
            vnet.clock = now;
            vnet.expire_stale(now);
            self.departed.push(id);
            self.mark_lingering(id);
            self.note_stale(id);
        }
    }

    /// Takes a VNI's notes about stale routes that are gone.
    pub(super) fn take_lost_stale(&mut self, id: TableId) {
        let Some(vnet) = self.owned[id].table.opened() else { return };
        let (vni, lost) = (vnet.vni, vnet.take_lost_stale());
        self.stale.lost.extend(lost.into_iter().map(|(of, count, now)| (vni, of, count, now)));
    }

    /// Tells the shards of peers which of their stale routes are gone.
    pub(in crate::shard) fn tell_lost_stale(&mut self, mesh: &mut Mesh) {
        for (vni, origin, count, routes) in self.stale.lost.drain(..) {
            let Origin { peer, shard, .. } = origin;
            let counted = Counted::change(vni, -count, routes);
            mesh.deliver(shard, Delivery::Announced { peer, counted });
        }
    }
}
