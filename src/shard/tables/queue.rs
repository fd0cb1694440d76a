//! What waits for the tables, and how much of it is served in one turn.

use super::Tables;
use crate::ids::{Moment, PeerId};
use crate::shard::fair::FairQueue;
use crate::shard::mesh::Mesh;
use crate::shard::message::Request;

/// The cost of building one chunk, in updates.
const CHUNK_COST: usize = 512;

impl Tables {
    /// Puts a request behind those of its peer.
    pub(in crate::shard) fn request(&mut self, request: Request) {
        self.queue.push(request);
    }

    /// The cost of a peer's waiting requests.
    pub(in crate::shard) fn waiting(&self, peer: PeerId) -> usize {
        self.queue.cost_of(peer)
    }

    pub(in crate::shard) fn queue(&mut self) -> &mut FairQueue {
        &mut self.queue
    }

    /// Whether no request waits.
    pub(in crate::shard) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether so many requests wait, of however many peers, that no peer should be read.
    pub(in crate::shard) fn is_backed_up(&self) -> bool {
        self.queue.cost() >= self.settings.bounds.request_room
    }

    /// Whether to take in requests of other shards. Not more than can be served soon: the other shards
    /// share the room fairly among their peers, and the later they send, the more peers they can choose from.
    pub(in crate::shard) fn takes_requests(&self) -> bool {
        self.queue.cost() < self.settings.bounds.work_per_turn
    }

    /// Serves waiting requests, up to one turn's budget. Returns the rest of the budget.
    pub(in crate::shard) fn serve_waiting(&mut self, now: Moment, mesh: &mut Mesh) -> usize {
        let most = self.settings.bounds.work_per_turn;
        // Updates of this shard's own peers may have been carried out since the last turn.
        let mut budget = most - std::mem::take(&mut self.looks).min(most / 2);
        while budget > 0
            && !mesh.is_congested()
            && let Some(request) = self.queue.take()
        {
            let cost = match request {
                Request::Pull { .. } => CHUNK_COST,
                _ => request.cost(),
            };
            let share = cost.max(crate::shard::fair::QUANTUM).min(budget);
            if self.may_serve(now, &request, share) {
                let peer = request.peer();
                self.serve(now, request, mesh);
                let cost = cost + std::mem::take(&mut self.looks);
                self.queue.served(peer, cost);
                budget = budget.saturating_sub(cost);
            } else {
                self.queue.put_back(request, share);
                budget -= share;
            }
        }
        budget
    }
}
