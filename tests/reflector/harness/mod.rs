//! What the tests share: a reflector on each I/O, peers to talk to it, and waiting with a deadline.

pub(crate) mod bystanders;
pub(crate) mod client;
#[cfg(target_os = "linux")]
pub(crate) mod ethernet;
pub(crate) mod go_client;
pub(crate) mod http;
#[cfg(target_os = "linux")]
#[path = "../../common/namespace.rs"]
mod namespace;
#[path = "../../common/promtool.rs"]
pub(crate) mod promtool;

use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(crate) use bystanders::Bystanders;
pub(crate) use client::{Client, PATIENCE, Route, prefix, route, routes};
use metalbond::io::{self, IoChoice};
pub(crate) use metalbond::reflector::{Config, Limits, Reflector, Settings};

/// Makes two tests of each script, one for each way to drive sockets.
macro_rules! on_each_io {
    ($($script:ident),* $(,)?) => {$(
        mod $script {
            #[test]
            fn uring() {
                $crate::harness::run(metalbond::io::IoChoice::Uring, super::$script);
            }

            #[test]
            fn epoll() {
                $crate::harness::run(metalbond::io::IoChoice::Epoll, super::$script);
            }
        }
    )*};
}
pub(crate) use on_each_io;

/// Runs a script where that I/O can be had.
pub(crate) fn run(io: IoChoice, script: impl FnOnce(Config)) {
    if let Err(error) = io::choose(io) {
        println!("SKIPPED: {error}");
        return;
    }
    script(Config {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: None,
        shards: Some(2),
        io,
        settings: Settings { keepalive: 60, ..Settings::default() },
        ..Config::default()
    });
}

/// A reflector of two shards on a free port, and where it listens.
pub(crate) fn start(config: &Config) -> (Reflector, SocketAddr) {
    let reflector = Reflector::start(config).unwrap();
    let address = reflector.listen_addr();
    (reflector, address)
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for an answer of an [`Inspector`](metalbond::reflector::Inspector).
pub(crate) fn ask<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}

/// Sessions that a reflector holds.
pub(crate) fn peers(reflector: &Reflector) -> usize {
    reflector.snapshots().iter().map(|snapshot| snapshot.peers).sum()
}

/// Sessions that ended for a reason, by its name.
pub(crate) fn closed_by(reflector: &Reflector, reason: &str) -> u64 {
    reflector.snapshots().iter().filter_map(|snapshot| snapshot.closed.get(reason)).sum()
}

/// Waits until nothing is left of any session.
pub(crate) fn expect_empty(reflector: &Reflector) {
    eventually("an empty reflector", || {
        reflector.snapshots().iter().all(|s| s.peers == 0 && s.vnis == 0 && s.routes == 0)
    });
}
