//! Shards and the bounded channels between them, driven like the real ones.

use std::collections::VecDeque;

use super::plan::Plan;
use super::rng::Rng;
use crate::ids::{Moment, ShardId};
use crate::shard::{Delivery, Request, Shard};

/// Both lanes of one ordered pair of shards.
#[derive(Debug, Default)]
struct Channel {
    requests: VecDeque<Vec<Request>>,
    deliveries: VecDeque<Vec<Delivery>>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) shards: Vec<Shard>,
    /// Channels by sender, then by receiver.
    channels: Vec<Vec<Channel>>,
    capacity: usize,
}

impl Cluster {
    pub(super) fn new(plan: &Plan, seeds: [u64; 4], now: Moment) -> Self {
        let n = plan.shards;
        let shard = |i| Shard::new(ShardId::at(i), n, plan.settings.clone(), seeds, now);
        let channels = || (0..n).map(|_| Channel::default()).collect();
        Self {
            shards: (0..n).map(shard).collect(),
            channels: (0..n).map(|_| channels()).collect(),
            capacity: plan.parcels,
        }
    }

    /// Hands a shard messages of other shards: some, or all that it takes when `moves` is 1000.
    pub(super) fn take_in(&mut self, rng: &mut Rng, to: usize, moves: usize, now: Moment) {
        let n = self.shards.len();
        let first = rng.below(n);
        for from in (0..n).map(|i| (first + i) % n) {
            let Self { shards, channels, .. } = self;
            let (shard, channel) = (&mut shards[to], &mut channels[from][to]);
            while rng.chance(moves)
                && shard.takes_requests()
                && let Some(parcel) = channel.requests.pop_front()
            {
                shard.requests(parcel);
            }
            while rng.chance(moves)
                && let Some(parcel) = channel.deliveries.pop_front()
            {
                shard.deliveries(now, parcel);
            }
        }
    }

    /// Moves a shard's messages for others into channels that have room.
    pub(super) fn send_out(&mut self, from: usize) {
        for to in (0..self.shards.len()).filter(|to| *to != from) {
            let Self { shards, channels, capacity } = self;
            let (shard, channel) = (&mut shards[from], &mut channels[from][to]);
            if channel.requests.len() < *capacity
                && let Some(parcel) = shard.take_requests(ShardId::at(to))
            {
                channel.requests.push_back(parcel);
            }
            if channel.deliveries.len() < *capacity
                && let Some(parcel) = shard.take_deliveries(ShardId::at(to))
            {
                channel.deliveries.push_back(parcel);
            }
        }
    }

    /// Whether every request has been served.
    pub(super) fn is_settled(&self) -> bool {
        self.channels.iter().flatten().all(|channel| channel.requests.is_empty())
            && self.shards.iter().all(|shard| !shard.has_requests() && !shard.has_reviews())
    }

    /// Whether no message is under way anywhere.
    pub(super) fn is_flushed(&self) -> bool {
        self.is_settled()
            && self.channels.iter().flatten().all(|channel| channel.deliveries.is_empty())
            && self.shards.iter().all(Shard::is_flushed)
    }
}
