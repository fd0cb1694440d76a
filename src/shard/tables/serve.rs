//! What the owner of a VNI does for its members: carries out updates, answers subscribers.

use super::{TableId, Tables};
use crate::ids::{Moment, PeerId};
use crate::shard::layout::GuestKind;
use crate::shard::mesh::Mesh;
use crate::shard::message::Counted;
use crate::shard::message::{Delivery, Request};
use crate::table::{Announcement, Hold, Origin};
use crate::wire::Vni;

impl Tables {
    /// Carries out updates of a peer of this shard at once. `None` when an earlier request of the peer
    /// must come first, or when such updates have cost much since the last turn: then the peer must wait for its turn.
    pub(in crate::shard) fn update_now(
        &mut self,
        origin: Origin,
        vni: Vni,
        updates: &[Announcement],
        room: i64,
        received: Moment,
    ) -> Option<Counted> {
        if self.queue.has(origin.peer) || self.looks > self.settings.bounds.work_per_turn / 4 {
            return None;
        }
        let Some(id) = self.admitted(vni) else { return Some(self.refuse_vni(vni, updates)) };
        if self.owned[id].table.has_left(origin.peer) {
            return None;
        }
        Some(self.update(id, origin, updates, room, received))
    }

    /// Whether a request can be served now. Not if its peer has left the VNI and has come back before its
    /// old routes are gone: these are withdrawn first, `budget` of them now.
    pub(super) fn may_serve(&mut self, now: Moment, request: &Request, budget: usize) -> bool {
        let (Request::Updates { origin, vni, .. } | Request::Subscribe { origin, vni, .. }) =
            request
        else {
            return true;
        };
        let Some(&id) = self.index.get(vni) else { return true };
        if !self.owned[id].table.has_left(origin.peer) {
            return true;
        }
        let vnet = self.opened(id);
        vnet.clock = now;
        let is_gone = vnet.finish_leaving(origin.peer, budget);
        vnet.take_looks(); // a part of the budget
        self.mark_dirty(id);
        is_gone
    }

    /// Serves one request.
    pub(super) fn serve(&mut self, now: Moment, request: Request, mesh: &mut Mesh) {
        match request {
            Request::Updates { origin, vni, updates, room, received } => {
                let counted = match self.admitted_for(vni, origin.shard, mesh) {
                    Some(id) => self.update(id, origin, &updates, room, received),
                    None => self.refuse_vni(vni, &updates),
                };
                if self.is_told(&counted) {
                    let peer = origin.peer;
                    mesh.deliver(origin.shard, Delivery::Announced { peer, counted });
                }
                self.note_used(vni, mesh);
            }
            Request::Subscribe { origin, vni, received, is_retry } => {
                let Some(id) = self.admitted_for(vni, origin.shard, mesh) else {
                    if !is_retry {
                        self.refuse_subscription();
                    }
                    return; // the answer to its first pull says so
                };
                let vnet = self.opened(id);
                vnet.clock = received;
                let member = vnet.member(origin);
                vnet.subscribe(member);
                self.note_wanted(id, mesh);
            }
            Request::Classify { origin, vni } => self.classify(origin, vni),
            Request::Adopt { origin, vni, kin } => self.adopt(origin, vni, kin, mesh),
            Request::Hold { peer, vni, kin, time } => {
                self.hold(vni, peer, Hold { kin, until: now + time }, mesh);
            }
            Request::Forget { origin, vni, version } => self.forget(origin, vni, version, mesh),
            Request::Mark { origin, vni, number } => {
                let peer = origin.peer;
                mesh.deliver(origin.shard, Delivery::Marked { peer, vni, number });
            }
            Request::Relocate { origin, to, vnis, number, is_last } => {
                let peer = origin.peer;
                if to != origin.shard {
                    mesh.departs(peer);
                }
                let (vnis, owner) = (self.relocate(peer, to, &vnis, mesh), self.shard);
                let answer = Delivery::Relocated { peer, owner, vnis, number, is_last };
                mesh.deliver(origin.shard, answer);
                if to == origin.shard && is_last {
                    mesh.settles(peer, to); // it stays
                }
            }
            Request::Settle { peer, at } => mesh.settles(peer, at),
            Request::Fence { epoch, .. } => self.fence(epoch, mesh),
            Request::Confirm { epoch } => self.confirmed(epoch, mesh),
            Request::Pull { peer, shard, vni, subscription } if !self.is_subscriber(peer, vni) => {
                mesh.deliver(shard, Delivery::Unserved { peer, vni, subscription });
            }
            Request::Leave { vni, .. }
            | Request::FellBehind { vni, .. }
            | Request::Pull { vni, .. } => {
                if let Some(&id) = self.index.get(&vni) {
                    self.serve_member(now, id, request, mesh);
                }
            }
        }
    }

    /// Forgets a peer that neither announces nor subscribes in a VNI.
    fn forget(&mut self, origin: Origin, vni: Vni, version: u32, mesh: &mut Mesh) {
        if let Some(&id) = self.index.get(&vni) {
            let vnet = self.opened(id);
            if vnet.takes_part(origin.peer) {
                return; // its latest announcements are on their way to be counted
            }
            vnet.leave(origin.peer);
            self.mark_lingering(id);
        }
        let peer = origin.peer;
        mesh.deliver(origin.shard, Delivery::Forgotten { peer, vni, version });
    }

    /// Whether a peer subscribes to a VNI, as far as this shard knows.
    fn is_subscriber(&self, peer: PeerId, vni: Vni) -> bool {
        self.find(vni).is_some_and(|(_, table)| table.is_subscriber(peer))
    }

    /// Serves a request that has no effect without a table.
    fn serve_member(&mut self, now: Moment, id: TableId, request: Request, mesh: &mut Mesh) {
        let limit = self.settings.bounds.outbox.low_water;
        let was_packed = self.owned[id].table.opened().is_none();
        let vnet = self.opened(id);
        match request {
            Request::Leave { peer, .. } => self.leave(id, peer, mesh),
            Request::FellBehind { peer, vni, from } => {
                if let Some(shard) = vnet.fell_behind(peer, from.start) {
                    mesh.deliver(shard, Delivery::TooFarBehind { peer, vni });
                }
            }
            Request::Pull { peer, vni, subscription, .. } => {
                let Some((shard, chunk)) = vnet.chunk(peer, limit, now) else { return };
                let since = vnet.subscribed(peer);
                self.counting.chunk(now, since.filter(|_| chunk.end_of_table));
                // Building a chunk seals the open batch, which must be sent first.
                self.send_sealed(id, mesh);
                let is_done = chunk.in_sync;
                mesh.deliver(shard, Delivery::Chunk { peer, vni, subscription, chunk });
                if !(is_done && self.pack_at_once(id, was_packed)) {
                    self.mark_lingering(id);
                }
            }
            _ => {}
        }
    }

    /// Ends a peer's part in a VNI.
    pub(super) fn leave(&mut self, id: TableId, peer: PeerId, mesh: &mut Mesh) {
        let vnet = self.opened(id);
        let vni = vnet.vni;
        let Some(left) = vnet.leave(peer) else { return };
        if left.routes > 0 {
            let counted = Counted::change(vni, -i64::from(left.routes), 0);
            mesh.deliver(left.shard, Delivery::Announced { peer, counted });
            self.departed.push(id);
        }
        self.counting.recount(&mut self.owned[id]); // its filtered routes are gone at once
        self.mark_lingering(id);
        self.note_wanted(id, mesh);
    }

    /// Tells the shard for a guest, if there is one, whether clients subscribe to a VNI or take part in it, if it
    /// does not know.
    pub(super) fn note_wanted(&mut self, id: TableId, mesh: &mut Mesh) {
        let Some((shard, guest)) = mesh.guest() else { return };
        let Some(entry) = self.owned.get_mut(id) else { return };
        let is_wanted = entry.table.is_wanted();
        let is_used = guest == GuestKind::Proxy && entry.table.has_clients();
        if (entry.is_wanted, entry.is_used) != (is_wanted, is_used) {
            (entry.is_wanted, entry.is_used) = (is_wanted, is_used);
            let vni = entry.table.vni();
            mesh.deliver(shard, Delivery::Wanted { vni, is_wanted, is_used });
        }
    }

    /// The same for a VNI in which a client may be the first announcer.
    #[inline]
    pub(in crate::shard) fn note_used(&mut self, vni: Vni, mesh: &mut Mesh) {
        if matches!(mesh.guest(), Some((_, GuestKind::Proxy)))
            && let Some(&id) = self.index.get(&vni)
        {
            self.note_wanted(id, mesh);
        }
    }
}
