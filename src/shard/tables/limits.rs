//! Whether there is room for a request, and the notices about requests for which there is none.

use super::{TableId, Tables};
use crate::ids::{Level, Moment, ShardId};
use crate::shard::config::LimitAction;
use crate::shard::growth::{Amounts, Ceiling, Growth};
use crate::shard::mesh::Mesh;
use crate::shard::message::Counted;
use crate::shard::output::VniNotice;
use crate::table::{Announcement, LimitHits, Origin, Room};
use crate::wire::{Action, Vni};

impl Tables {
    /// The amounts that the shard holds and has taken in.
    pub(in crate::shard) fn growth(&self) -> &Growth {
        &self.growth
    }

    /// Sets the ceiling.
    pub(in crate::shard) fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.growth.set_ceiling(ceiling);
    }

    /// The number of notices of VNIs that are near their limit, or have reached it.
    pub(in crate::shard) fn vni_notices(&self) -> usize {
        self.vni_notices.len()
    }

    /// The next notice.
    pub(in crate::shard) fn take_vni_notice(&mut self) -> Option<VniNotice> {
        self.vni_notices.pop_front()
    }

    /// Announcements and subscriptions that limits have refused here since the start.
    pub(in crate::shard) fn refusals(&self) -> u64 {
        self.counting.metrics.growth_refused.values().sum()
    }

    /// The table of a VNI, made if there is room for one more table.
    pub(super) fn admitted(&mut self, vni: Vni) -> Option<TableId> {
        if let Some(&id) = self.index.get(&vni) {
            return Some(id);
        }
        if self.growth.room().vnis < 1 {
            return None;
        }
        Some(self.made(vni))
    }

    /// The same, where the shard for a guest may ask. The guest itself bounds its tables. If a table were refused, the
    /// guest would wait for it for ever.
    pub(super) fn admitted_for(
        &mut self,
        vni: Vni,
        asker: ShardId,
        mesh: &Mesh,
    ) -> Option<TableId> {
        if mesh.guest().is_some_and(|(shard, _)| shard == asker) {
            return Some(self.made(vni));
        }
        self.admitted(vni)
    }

    /// Refuses updates for a VNI that there is no room for.
    pub(super) fn refuse_vni(&mut self, vni: Vni, updates: &[Announcement]) -> Counted {
        let adds = updates.iter().filter(|update| update.action == Action::Add).count();
        let adds = u32::try_from(adds).unwrap_or(u32::MAX);
        let mut hits = LimitHits::default();
        let count =
            if self.growth.is_short_of_memory() { &mut hits.memory } else { &mut hits.vnis };
        *count = adds;
        self.refused(&hits);
        self.counting.ignored(updates.len() as u64 - u64::from(adds));
        Counted { vni, change: 0, routes: 0, accepted: 0, hits }
    }

    /// Counts a refused subscription: there is no room for its VNI.
    pub(super) fn refuse_subscription(&mut self) {
        let by_memory = self.growth.is_short_of_memory();
        let (vnis, memory) = (u32::from(!by_memory), u32::from(by_memory));
        self.refused(&LimitHits { memory, vnis, ..LimitHits::default() });
    }

    /// Carries out updates of one VNI, as far as there is room. `peer_room` is how many routes the peer may announce in
    /// the VNI.
    pub(super) fn update(
        &mut self,
        id: TableId,
        origin: Origin,
        updates: &[Announcement],
        peer_room: i64,
        received: Moment,
    ) -> Counted {
        let Amounts { routes, announcements, .. } = self.growth.room();
        let limits = self.settings.vni_limits;
        self.opened(id);
        let vnet = self.owned[id].table.open();
        vnet.clock = received;
        let member = vnet.member(origin);
        let terms = self.policing.terms(&self.settings.policy, origin.rights, vnet.vni);
        let room = limits.room(vnet.routes());
        let peer = peer_room.saturating_sub(i64::from(vnet.announced_by(member)));
        let room = Room { routes, announcements, vni: room, peer };
        let (applied, hits) = if room.fits(updates.len()) {
            (vnet.update_all(member, updates, terms.as_ref()), LimitHits::default())
        } else {
            vnet.update_within(member, updates, terms.as_ref(), room)
        };
        let (routes, vni) = (vnet.announced_by(member), vnet.vni);
        self.looks += vnet.take_looks();
        let has_stale = vnet.has_stale();
        if vnet.has_refusals() {
            self.take_refusals(id);
        }
        if has_stale {
            self.take_lost_stale(id);
        }
        let without_effect = applied.ignored + u64::from(hits.total());
        let accepted = (updates.len() as u64).saturating_sub(without_effect);
        self.sealing.gathered += updates.len();
        self.counting.ignored(applied.ignored);
        self.mark_dirty(id);
        if applied.change != 0 || hits.total() > 0 {
            self.refused(&hits);
            self.watch_vni(id, hits.vni > 0);
        }
        let accepted = u32::try_from(accepted).unwrap_or(u32::MAX);
        Counted { vni, change: applied.change, routes, accepted, hits }
    }

    fn refused(&mut self, hits: &LimitHits) {
        self.growth.refused(hits);
        self.counting.refused(hits);
    }

    /// Makes a notice when a VNI comes near its limit, or reaches it.
    fn watch_vni(&mut self, id: TableId, hit: bool) {
        let most = self.settings.vni_limits.routes;
        let entry = &mut self.owned[id];
        let routes = u64::from(entry.weighed.routes);
        if most == 0 {
            return;
        }
        let before = entry.level;
        let Some(level) = entry.level.look(routes, most, hit) else { return };
        if before == Level::Fine {
            self.counting.near_vni_limit();
        }
        let action = self.settings.vni_limits.action;
        self.vni_notices.push_back(VniNotice {
            vni: entry.table.vni(),
            routes,
            most,
            level,
            action,
        });
    }

    /// Counts the present weight of a VNI.
    #[inline]
    pub(super) fn weigh(&mut self, id: TableId) {
        let entry = &mut self.owned[id];
        let after = entry.table.weight();
        let before = std::mem::replace(&mut entry.weighed, after);
        self.growth.weighed(before, after);
    }

    /// Whether to tell a peer's shard at once about the effects of its updates.
    pub(super) fn is_told(&self, counted: &Counted) -> bool {
        counted.change != 0
            || counted.hits.total() > 0
            || (counted.accepted > 0 && self.settings.change_rate_per_source > 0)
    }
}

/// Whether to close the peer that announces a route too many in a VNI.
pub(in crate::shard) fn closes(action: LimitAction, hits: &LimitHits) -> bool {
    action == LimitAction::Close && hits.vni > 0
}
