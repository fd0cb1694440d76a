//! One sealed batch and the outboxes of all who are to get it.

use std::sync::Arc;

use super::shards::{FAR, NEAR, NOW, VNI, connect, shard, subscribe, take_writes};
use super::{routes, window};
use crate::shard::{Delivery, Shard};
use crate::table::{Audience, Batch};
use crate::wire::Action;

/// A shard with subscribers of a VNI that another shard owns, and a batch of that VNI.
#[derive(Debug)]
pub struct FanOut {
    shard: Shard,
    batch: Arc<Batch>,
}

impl FanOut {
    /// So many subscribers in sync, and a batch of so many updates: at most 2048, or it is several.
    ///
    /// # Panics
    /// When the owner of the VNI seals no batch for them.
    #[must_use]
    pub fn new(subscribers: u64, updates: u32) -> Self {
        let (mut near, mut far) = (shard(NEAR), shard(FAR));
        for peer in 0..subscribers {
            subscribe(&mut near, peer);
            settle(&mut near, &mut far);
        }
        let publisher = connect(&mut far, subscribers);
        far.received(NOW, publisher, &window(VNI, Action::Add, &routes(updates)));
        far.turn(NOW);
        let batch = far.take_deliveries(NEAR).into_iter().flatten().find_map(|delivery| {
            let Delivery::Batch { batch, .. } = delivery else { return None };
            Some(batch)
        });
        Self { shard: near, batch: batch.expect("a batch for the subscribers") }
    }

    /// Gives the batch to every subscriber, and takes all writes. Returns the bytes.
    pub fn round(&mut self) -> usize {
        let batch = Arc::clone(&self.batch);
        self.shard.deliveries(NOW, vec![Delivery::Batch { audience: Audience::Clients, batch }]);
        take_writes(&mut self.shard)
    }
}

/// Carries parcels until both shards have nothing to say.
fn settle(near: &mut Shard, far: &mut Shard) {
    loop {
        take_writes(near);
        near.turn(NOW);
        let Some(requests) = near.take_requests(FAR) else { return };
        far.requests(requests);
        far.turn(NOW);
        near.deliveries(NOW, far.take_deliveries(NEAR).unwrap_or_default());
    }
}
