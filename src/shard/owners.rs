//! [`Owners`]: where requests of this shard's connections go.

use std::sync::Arc;

use super::fair::{FairQueue, QUANTUM};
use super::mesh::Mesh;
use super::message::{Counted, Request};
use super::placement::{PartitionId, Partitions};
use super::tables::Tables;
use crate::ids::{Moment, PeerId, ShardId};
use crate::table::{Announcement, Origin};
use crate::wire::Vni;

/// The owners of all VNIs, as a connection sees them: this shard's tables, and the lanes to the others.
#[derive(Debug)]
pub(super) struct Owners<'a> {
    pub(super) mesh: &'a mut Mesh,
    pub(super) tables: &'a mut Tables,
}

impl Owners<'_> {
    /// Sends a request about a VNI to its owner.
    pub(super) fn request(&mut self, request: Request) {
        let Some(vni) = request.vni() else { return };
        if self.mesh.is_moving(vni) {
            self.mesh.hold(request);
        } else {
            self.request_to(self.mesh.owner(vni), request);
        }
    }

    /// Sends a request to one shard.
    pub(super) fn request_to(&mut self, shard: ShardId, request: Request) {
        if shard == self.mesh.id() {
            self.tables.request(request);
        } else {
            self.mesh.request(shard, request);
        }
    }

    /// Sends updates of one VNI to its owner, and empties `updates`. If that owner is this shard and no request of the
    /// peer waits, they are carried out at once, and their effects are returned. `room` is how many more routes
    /// the peer may announce.
    pub(super) fn updates(
        &mut self,
        origin: Origin,
        vni: Vni,
        updates: &mut Vec<Announcement>,
        room: i64,
        received: Moment,
    ) -> Option<Counted> {
        if self.mesh.owner(vni) == self.mesh.id()
            && !self.mesh.is_moving(vni)
            && let Some(counted) = self.tables.update_now(origin, vni, updates, room, received)
        {
            updates.clear();
            self.tables.note_used(vni, self.mesh);
            return Some(counted);
        }
        let updates = std::mem::take(updates);
        self.request(Request::Updates { origin, vni, updates, room, received });
        None
    }

    /// Whether so many requests of a peer wait that it should not be read.
    pub(super) fn keeps_waiting(&mut self, peer: PeerId) -> bool {
        let waiting: usize = self.mesh.queues().map(|queue| queue.cost_of(peer)).sum();
        waiting + self.tables.waiting(peer) >= QUANTUM
    }

    /// Has [`Owners::take_drained`] name a peer when one of the queues holds none of its requests any more.
    pub(super) fn await_drained(&mut self, peer: PeerId) {
        self.mesh.queues().for_each(|queue| queue.await_drained(peer));
        self.tables.queue().await_drained(peer);
    }

    /// The next awaited peer of which one of the queues holds no request any more.
    pub(super) fn take_drained(&mut self) -> Option<PeerId> {
        let Self { mesh, tables } = self;
        tables.queue().take_drained().or_else(|| mesh.queues().find_map(FairQueue::take_drained))
    }

    /// Sends requests to every shard, about the VNIs that the shard owns; each shard answers, even if it owns none. A
    /// request has at most a [`QUANTUM`] of VNIs: so a peer with thousands holds up no other.
    pub(super) fn relocate(
        &mut self,
        origin: Origin,
        to: ShardId,
        vnis: impl Iterator<Item = Vni>,
        number: u64,
    ) {
        let request = |vnis, is_last| Request::Relocate { origin, to, vnis, number, is_last };
        let mut waiting: Vec<Vec<Vni>> = self.mesh.shards().map(|_| Vec::new()).collect();
        for vni in vnis {
            let shard = self.mesh.owner(vni);
            let own = &mut waiting[shard.index()];
            if own.len() == QUANTUM {
                self.request_to(shard, request(std::mem::take(own), false));
            }
            own.push(vni);
        }
        let shards: Vec<_> = self.mesh.shards().collect();
        for (shard, own) in shards.into_iter().zip(waiting) {
            self.request_to(shard, request(own, true));
        }
    }

    /// Tells every shard that the move of a peer's connection has ended here.
    pub(super) fn settle(&mut self, peer: PeerId) {
        let at = self.mesh.id();
        for shard in self.mesh.shards() {
            self.request_to(shard, Request::Settle { peer, at });
        }
    }

    /// Begins to move partitions.
    pub(super) fn reassign(
        &mut self,
        partitions: Arc<Partitions>,
        (from, to): (ShardId, ShardId),
        epoch: u64,
    ) {
        let id = self.mesh.id();
        if id == from {
            self.tables.prepare_to_leave(Arc::clone(&partitions), epoch);
        }
        self.mesh.reassign(partitions, from, to, epoch);
        self.request_to(from, Request::Fence { epoch });
    }

    /// Prepares all tables to leave for another process.
    pub(super) fn seal(&mut self, epoch: u64) {
        let all: Arc<Partitions> = Arc::new(PartitionId::all().collect());
        self.tables.prepare_to_leave(Arc::clone(&all), epoch);
        self.mesh.hold_from(all, None, epoch);
        for shard in self.mesh.shards() {
            self.request_to(shard, Request::Fence { epoch });
        }
    }

    /// Ends a move of partitions, and sends the held requests on.
    pub(super) fn release(&mut self, epoch: u64, back: bool) {
        let Some(mut held) = self.mesh.release(epoch, back) else { return };
        while let Some(request) = held.take() {
            held.served(request.peer(), request.cost());
            self.request(request);
        }
        while let Some(peer) = held.take_drained() {
            self.await_drained(peer);
        }
    }

    /// Drops the requests that are useless once a peer's session has ended; see [`Request::is_moot`].
    pub(super) fn forget(&mut self, peer: PeerId, is_held: bool) {
        self.mesh.queues().for_each(|queue| queue.forget(peer, is_held));
        self.tables.queue().forget(peer, is_held);
    }

    /// Whether no peer at all should be read.
    pub(super) fn is_backed_up(&self) -> bool {
        self.mesh.is_backed_up() || self.tables.is_backed_up()
    }
}
