//! What a guest does on its shard: it makes requests for peers that have no connection.

use super::message::Request;
use super::state::Shard;

/// The number of updates of a guest's peers that may wait here for the owners: some thirty messages of 64 KiB.
const UPDATES: usize = 40_000;

impl Shard {
    /// Sends a request about a VNI to its owner, in the order of its peer's requests.
    pub(crate) fn request(&mut self, request: Request) {
        let (_, mut owners) = self.split();
        owners.request(request);
    }

    /// Whether so many requests wait that no more should be made.
    pub(crate) fn is_backed_up(&mut self) -> bool {
        let (_, owners) = self.split();
        let waiting: usize = owners.mesh.queues().map(|queue| queue.cost()).sum();
        owners.is_backed_up() || waiting > UPDATES
    }
}
