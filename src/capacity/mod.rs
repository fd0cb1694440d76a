//! Limits of the whole reflector: routes, VNIs, memory.
//!
//! State: the ceilings that shards have been sent, and the warnings that have been logged. Runs on the control thread.
//! Ten times a second it reads how much the shards have taken in ([`GrowthGauge`]) and how much memory the process has,
//! and sends each shard a new ceiling ([`shares`]). A shard compares only numbers of its own, so no lock and no shared
//! counter is on the path of an update.
//!
//! Imports: config, ids, io, shard, threads.

mod shares;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use self::shares::{Limits, Shares};
use self::words::Words;
use crate::config::{MemoryBudget, ReflectorConfig};
use crate::io;
use crate::shard::growth::{Amounts, Ceiling};
use crate::threads::{Control, Gauge, MemoryUse, Seen, ShardOrder};

/// The time between two checks.
const PERIOD: Duration = Duration::from_millis(100);
/// The control groups are read at every tenth check.
const GROUPS: u32 = 10;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Steward {
    config: watch::Receiver<ReflectorConfig>,
    /// The shards that own VNIs.
    shards: Vec<(Sender<ShardOrder>, Arc<Gauge>)>,
    memory: Arc<MemoryUse>,
    shares: Shares,
    words: Words,
    /// The numbers of the control groups: bytes granted, and bytes of sockets.
    granted: Option<u64>,
    sockets: u64,
    looks: u32,
}

impl Steward {
    /// For shards to which an earlier process leaves `routes` routes.
    pub(crate) fn new(
        config: watch::Receiver<ReflectorConfig>,
        shards: Vec<(Sender<ShardOrder>, Arc<Gauge>)>,
        control: &Control,
        routes: u64,
    ) -> Self {
        let memory = Arc::clone(&control.memory);
        let routes = i64::try_from(routes).unwrap_or(i64::MAX);
        let shares = Shares::new(shards.len(), Amounts { routes, announcements: routes, vnis: 0 });
        let (granted, sockets, looks) = (None, 0, 0);
        Self { config, shards, memory, shares, words: Words::default(), granted, sockets, looks }
    }

    /// The first check, before there is any connection. Blocks while a shard takes no orders.
    pub(crate) fn begin(&mut self) {
        for (shard, ceiling) in self.look() {
            drop(self.shards[shard].0.blocking_send(ShardOrder::Ceiling(ceiling)));
        }
    }

    /// Checks until dropped, or until the shards are gone.
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for (shard, ceiling) in self.look() {
                if self.shards[shard].0.send(ShardOrder::Ceiling(ceiling)).await.is_err() {
                    return;
                }
            }
        }
    }

    /// The new ceilings for shards.
    fn look(&mut self) -> Vec<(usize, Ceiling)> {
        let capacity = self.config.borrow().capacity;
        if self.looks.is_multiple_of(GROUPS) && capacity.memory == MemoryBudget::Auto {
            self.granted = io::memory_limit();
            self.sockets = self.granted.and_then(|_| io::socket_memory()).unwrap_or(0);
        }
        self.looks = self.looks.wrapping_add(1);
        let budget = capacity.memory.bytes(self.granted);
        // Memory of sockets counts only against a group's grant: it lies outside of the process.
        let sockets = if capacity.memory == MemoryBudget::Auto { self.sockets } else { 0 };
        let used = budget.and_then(|_| io::resident_memory()).map(|bytes| bytes + sockets);
        self.memory.set(budget, used.unwrap_or(0));
        let some = |most: u64| (most > 0).then_some(most);
        let limits = Limits {
            routes: some(capacity.max_routes),
            vnis: some(capacity.max_vnis),
            memory: budget.zip(used),
        };
        let seen: Vec<Seen> = self.shards.iter().map(|(_, gauge)| gauge.growth.get()).collect();
        let refused = seen.iter().fold(Amounts::default(), |sum, seen| sum + seen.refused);
        self.words.say(&limits, self.shares.held(&seen), refused);
        self.shares.look(&limits, &seen)
    }
}
