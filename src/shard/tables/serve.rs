//! What the owner of a VNI does for its members: carries out updates, answers subscribers.

use super::{TableId, Tables};
use crate::ids::Moment;
use crate::shard::mesh::Mesh;
use crate::shard::message::{Delivery, Request};
use crate::shard::owners::Counted;
use crate::table::{Announcement, Origin};
use crate::wire::Vni;

impl Tables {
    /// Carries out updates of a peer of this shard at once. `None` when something that the peer sent
    /// before must come first.
    pub(in crate::shard) fn update_now(
        &mut self,
        origin: Origin,
        vni: Vni,
        updates: &[Announcement],
        received: Moment,
    ) -> Option<Counted> {
        if self.queue.has(origin.peer) {
            return None;
        }
        let id = self.made(vni);
        if self.owned[id].table.has_left(origin.peer) {
            return None;
        }
        Some(self.update(id, origin, updates, received))
    }

    /// Whether a request can be served now. Not when its peer has left the VNI and is back before its
    /// old routes are gone: those are withdrawn first, `budget` of them now.
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
        self.mark_dirty(id);
        is_gone
    }

    /// Serves one request.
    pub(super) fn serve(&mut self, now: Moment, request: Request, mesh: &mut Mesh) {
        match request {
            Request::Updates { origin, vni, updates, received } => {
                let id = self.made(vni);
                let Counted { change, routes, .. } = self.update(id, origin, &updates, received);
                if change != 0 {
                    let peer = origin.peer;
                    mesh.deliver(origin.shard, Delivery::Announced { peer, vni, change, routes });
                }
            }
            Request::Subscribe { origin, vni, received } => {
                let id = self.made(vni);
                let vnet = self.opened(id);
                vnet.clock = received;
                let member = vnet.member(origin);
                vnet.subscribe(member);
            }
            Request::Forget { origin, vni, version } => {
                if let Some(&id) = self.index.get(&vni) {
                    let vnet = self.opened(id);
                    if vnet.takes_part(origin.peer) {
                        return; // what it announced meanwhile is on its way to be counted
                    }
                    vnet.leave(origin.peer);
                    self.mark_lingering(id);
                }
                let peer = origin.peer;
                mesh.deliver(origin.shard, Delivery::Forgotten { peer, vni, version });
            }
            Request::Relocate { origin, to, vnis, number } => {
                let vnis = self.relocate(origin.peer, to, &vnis, mesh);
                let (peer, owner) = (origin.peer, self.shard);
                mesh.deliver(origin.shard, Delivery::Relocated { peer, owner, vnis, number });
            }
            Request::Fence { epoch, .. } => self.fence(epoch, mesh),
            Request::Confirm { epoch } => self.confirmed(epoch, mesh),
            Request::Leave { vni, .. }
            | Request::FellBehind { vni, .. }
            | Request::Pull { vni, .. } => {
                if let Some(&id) = self.index.get(&vni) {
                    self.serve_member(now, id, request, mesh);
                }
            }
        }
    }

    /// Serves a request that means nothing where there is no table.
    fn serve_member(&mut self, now: Moment, id: TableId, request: Request, mesh: &mut Mesh) {
        let limit = self.settings.bounds.outbox.low_water;
        let vnet = self.opened(id);
        match request {
            Request::Leave { peer, vni } => {
                let Some(left) = vnet.leave(peer) else { return };
                if left.routes > 0 {
                    let change = -i64::from(left.routes);
                    mesh.deliver(left.shard, Delivery::Announced { peer, vni, change, routes: 0 });
                    self.departed.push(id);
                }
                self.mark_lingering(id);
            }
            Request::FellBehind { peer, from, .. } => {
                if let Some(shard) = vnet.fell_behind(peer, from.start) {
                    mesh.deliver(shard, Delivery::TooFarBehind { peer });
                }
            }
            Request::Pull { peer, vni, subscription } => {
                let Some((shard, chunk)) = vnet.chunk(peer, limit, now) else { return };
                let since = vnet.subscribed(peer);
                self.counting.chunk(now, since.filter(|_| chunk.end_of_table));
                // Building a chunk seals the open batch, which goes first.
                self.send_sealed(id, mesh);
                let is_done = chunk.in_sync;
                mesh.deliver(shard, Delivery::Chunk { peer, vni, subscription, chunk });
                if !(is_done && self.pack_if_empty(id)) {
                    self.mark_lingering(id);
                }
            }
            _ => {}
        }
    }

    /// Carries out updates of one VNI.
    fn update(
        &mut self,
        id: TableId,
        origin: Origin,
        updates: &[Announcement],
        received: Moment,
    ) -> Counted {
        let vnet = self.opened(id);
        vnet.clock = received;
        let member = vnet.member(origin);
        let applied = vnet.update_all(member, updates);
        let routes = vnet.announced_by(member);
        let vni = vnet.vni;
        self.sealing.gathered += updates.len();
        self.counting.ignored(applied.ignored);
        self.mark_dirty(id);
        Counted { vni, change: applied.change, routes }
    }
}
