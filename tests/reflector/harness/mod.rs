//! The parts that the tests share: a reflector with each I/O back end, peers that talk to it, and waiting with a
//! deadline.

pub(crate) mod bystander;
pub(crate) mod bystanders;
#[cfg(target_os = "linux")]
pub(crate) mod ethernet;
pub(crate) mod flood;
pub(crate) mod http;
#[cfg(target_os = "linux")]
pub(crate) mod process;
pub(crate) mod runs;
mod shards;
mod standstill;

use std::net::{Ipv6Addr, SocketAddr};

pub(crate) use bystanders::Bystanders;
use metalbond::io::IoChoice;
use metalbond::reflector::inspect::{Metrics, Occupancy};
pub(crate) use metalbond::reflector::inspector::Counters;
pub(crate) use metalbond::reflector::{Limits, Reflector, ReflectorConfig, ShardConfig};
pub(crate) use shards::{establish_on, shard_of, vnis_by_shard};
pub(crate) use standstill::Standstill;
pub(crate) use support::client::{self, Client, PATIENCE, Received, Route, prefix, route, routes};
pub(crate) use support::{eventually, go_client, on_each_io, promtool};

/// Runs a script where that I/O can be had.
pub(crate) fn run(io: IoChoice, script: impl FnOnce(ReflectorConfig)) {
    if !support::has_io(io) {
        return;
    }
    support::log_to_output_and(standstill::heed);
    script(ReflectorConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: None,
        shards: Some(2),
        min_shards: usize::MAX, // few peers would wake only one
        io,
        settings: ShardConfig { keepalive: 60, ..ShardConfig::default() },
        ..ReflectorConfig::default()
    });
}

/// A reflector of two shards on a free port, and where it listens.
pub(crate) fn start(config: &ReflectorConfig) -> (Reflector, SocketAddr) {
    let reflector = Reflector::start(config).unwrap();
    let address = reflector.listen_addr();
    (reflector, address)
}

/// Waits for an answer of an [`Inspector`](metalbond::reflector::Inspector).
pub(crate) fn ask<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}

/// What a reflector holds and has counted.
pub(crate) fn counters(reflector: &Reflector) -> Counters {
    ask(reflector.inspector().counters()).unwrap()
}

/// Sessions that a reflector holds.
pub(crate) fn peers(reflector: &Reflector) -> u64 {
    sessions(&counters(reflector).total)
}

/// Sessions that each of its shards holds.
pub(crate) fn peers_by_shard(reflector: &Reflector) -> Vec<u64> {
    counters(reflector).shards.iter().map(sessions).collect()
}

fn sessions(Metrics { now, .. }: &Metrics) -> u64 {
    now.connecting + now.established
}

/// Sessions that ended for a reason, by its name.
pub(crate) fn closed_by(reflector: &Reflector, reason: &str) -> u64 {
    counters(reflector).total.closed.get(reason).copied().unwrap_or_default()
}

/// Connections that ended before their HELLO for a reason, by its name.
pub(crate) fn gone_by(reflector: &Reflector, reason: &str) -> u64 {
    counters(reflector).total.without_hello.get(reason).copied().unwrap_or_default()
}

/// Waits until nothing is left of any session.
pub(crate) fn expect_empty(reflector: &Reflector) {
    eventually("an empty reflector", || counters(reflector).total.now == Occupancy::default());
}
