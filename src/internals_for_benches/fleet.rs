//! A shard of a fleet: many VNIs with few subscribers each, and a next hop of its own for each route.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use super::shards::{NOW, connect, connect_from, take_writes};
use super::{Route, own_routes, window};
use crate::ids::ShardId;
use crate::policy::Policy;
use crate::shard::{Shard, ShardConfig, Slot};
use crate::wire::{Action, Message, Vni};

/// Where publishers are: in the network of all next hops.
const SOURCE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x9999);

/// What a [`Fleet`] consists of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// VNIs, each with a publisher of its own.
    pub vnis: u32,
    /// Subscribers of each VNI.
    pub subscribers: u32,
    /// Routes of each VNI.
    pub routes: u32,
    /// Updates of one read of a publisher.
    pub updates: u32,
    /// Whether updates are of routes all over the table, which no cache holds if it is large.
    pub is_scattered: bool,
    /// Whether each update announces a route that there was not.
    pub is_new: bool,
    /// The policy that judges publishers, as a table `[policy]`.
    pub policy: Option<&'static str>,
}

/// One shard with all its peers, and what publishers send it in turn.
#[derive(Debug)]
pub struct Fleet {
    shard: Shard,
    publishers: Vec<Slot>,
    /// For each VNI, what withdraws or announces some of its routes, each once.
    reads: Vec<Vec<Vec<u8>>>,
    next: usize,
    shape: Shape,
}

impl Fleet {
    /// A fleet whose subscribers are in sync.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let policy = shape.policy.map(|text| Policy::read(text).expect("a policy"));
        let policy = Arc::new(policy.unwrap_or_default());
        let settings =
            ShardConfig { batch_delay: Duration::ZERO, policy, ..ShardConfig::default() };
        let mut shard = Shard::new(ShardId(0), 1, settings, [1, 2, 3, 4], NOW);
        let (mut publishers, mut reads) = (Vec::new(), Vec::new());
        let routes = own_routes(shape.routes);
        for number in 0..shape.vnis {
            let vni = Vni(number + 1);
            let first = u64::from(number * (shape.subscribers + 1));
            let publisher = connect_from(&mut shard, first, Some(SOURCE.into()));
            publishers.push(publisher);
            for peer in 1..=u64::from(shape.subscribers) {
                let slot = connect(&mut shard, first + peer);
                let mut subscribe = Vec::new();
                Message::Subscribe(vni).encode_into(&mut subscribe);
                shard.received(NOW, slot, &subscribe);
            }
            let order = order(&routes, shape.is_scattered);
            // In another order than they change later: what was announced together is not in one cache.
            if shape.is_new {
                let parts = routes.chunks_exact(shape.updates as usize);
                reads.push(parts.map(|part| window(vni, Action::Add, part)).collect());
                continue;
            }
            for part in routes.chunks(1000) {
                shard.received(NOW, publisher, &window(vni, Action::Add, part));
                settle(&mut shard);
            }
            reads.push(flaps(vni, &order, shape.updates));
        }
        settle(&mut shard);
        rest(&mut shard);
        Self { shard, publishers, reads, next: 0, shape }
    }

    /// One read of every VNI's publisher, to the last write. Returns the updates taken in.
    pub fn round(&mut self) -> u64 {
        for (publisher, reads) in self.publishers.iter().zip(&self.reads) {
            self.shard.received(NOW, *publisher, &reads[self.next % reads.len()]);
        }
        settle(&mut self.shard);
        self.next += 1;
        u64::from(self.shape.updates) * u64::from(self.shape.vnis)
    }

    /// Rounds after which every route has changed twice.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.reads.first().map_or(0, Vec::len)
    }
}

/// Reads that withdraw each route and announce each, in parts: first the withdrawals of a part, then its
/// announcements.
fn flaps(vni: Vni, routes: &[Route], updates: u32) -> Vec<Vec<u8>> {
    let parts = routes.chunks_exact(updates as usize);
    parts
        .flat_map(|part| [Action::Remove, Action::Add].map(|action| window(vni, action, part)))
        .collect()
}

/// The routes in their order, or in one that has neighbours far apart.
fn order(routes: &[Route], is_scattered: bool) -> Vec<Route> {
    if !is_scattered {
        return routes.to_vec();
    }
    let count = routes.len();
    // A step without a common divisor takes in every route once.
    let step = (count * 5 / 8..).find(|step| divisor(*step, count) == 1).unwrap_or(1);
    (0..count).map(|at| routes[at * step % count]).collect()
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Some seconds pass: chunks of the first dumps are forgotten, and the journal that they kept.
fn rest(shard: &mut Shard) {
    for turn in 0..4000 {
        shard.turn(NOW + Duration::from_secs(2) + Duration::from_millis(turn));
    }
    settle(shard);
}

fn settle(shard: &mut Shard) {
    loop {
        shard.turn(NOW);
        if take_writes(shard) == 0 {
            return;
        }
    }
}
