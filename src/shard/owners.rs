//! [`Owners`]: where requests of this shard's connections go.

use super::fair::QUANTUM;
use super::mesh::Mesh;
use super::message::Request;
use super::tables::Tables;
use crate::ids::{Moment, PeerId};
use crate::table::{Announcement, Origin};
use crate::wire::Vni;

/// How many routes a peer announces in a VNI now, and how many more than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Counted {
    pub(super) vni: Vni,
    pub(super) change: i64,
    pub(super) routes: u32,
}

/// The owners of all VNIs, as a connection sees them: this shard's tables, and the lanes to the others.
#[derive(Debug)]
pub(super) struct Owners<'a> {
    pub(super) mesh: &'a mut Mesh,
    pub(super) tables: &'a mut Tables,
}

impl Owners<'_> {
    /// Sends a request to the owner of its VNI.
    pub(super) fn request(&mut self, request: Request) {
        let owner = self.mesh.owner(request.vni());
        if owner == self.mesh.id() {
            self.tables.request(request);
        } else {
            self.mesh.request(owner, request);
        }
    }

    /// Sends updates of one VNI to its owner, and leaves none. If that is this shard and nothing of the
    /// peer waits, they are carried out at once, and what they changed is returned.
    pub(super) fn updates(
        &mut self,
        origin: Origin,
        vni: Vni,
        updates: &mut Vec<Announcement>,
        received: Moment,
    ) -> Option<Counted> {
        let owner = self.mesh.owner(vni);
        if owner == self.mesh.id() {
            if let Some(counted) = self.tables.update_now(origin, vni, updates, received) {
                updates.clear();
                return Some(counted);
            }
            self.tables.request(Request::updates(origin, vni, updates, received));
        } else {
            self.mesh.request(owner, Request::updates(origin, vni, updates, received));
        }
        None
    }

    /// Whether so much of a peer waits that it should not be read.
    pub(super) fn keeps_waiting(&mut self, peer: PeerId) -> bool {
        let waiting: usize = self.mesh.queues().map(|queue| queue.cost_of(peer)).sum();
        waiting + self.tables.waiting(peer) >= QUANTUM
    }

    /// Has [`Owners::take_drained`] tell when less of a peer waits.
    pub(super) fn await_drained(&mut self, peer: PeerId) {
        self.mesh.queues().for_each(|queue| queue.await_drained(peer));
        self.tables.queue().await_drained(peer);
    }

    /// The next peer of which less waits than did.
    pub(super) fn take_drained(&mut self) -> Option<PeerId> {
        let Self { mesh, tables } = self;
        tables.queue().take_drained().or_else(|| mesh.queues().find_map(|q| q.take_drained()))
    }

    /// Drops what is of no use once a peer's session has ended.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.mesh.queues().for_each(|queue| queue.forget(peer));
        self.tables.queue().forget(peer);
    }

    /// Whether no peer at all should be read.
    pub(super) fn is_backed_up(&self) -> bool {
        self.mesh.is_backed_up() || self.tables.is_backed_up()
    }
}

impl Request {
    fn updates(
        origin: Origin,
        vni: Vni,
        updates: &mut Vec<Announcement>,
        received: Moment,
    ) -> Self {
        Self::Updates { origin, vni, updates: std::mem::take(updates), received }
    }
}
