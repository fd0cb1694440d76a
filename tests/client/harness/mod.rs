//! The parts from which the scripts are made.

pub(crate) mod proxy;
pub(crate) mod server;

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use metalbond::admin::Http;
use metalbond::client::{Backoff, Error, LeafConfig, MetalBond, PeerState, PeerStatus, Route};
use metalbond::io::IoChoice;
use metalbond::reflector::{self, Reflector, ShardConfig};
use metalbond::wire::{Action, Destination, NextHop, NextHopType, Update, Vni};
pub(crate) use support::{PATIENCE, http as ask, on_each_io};
use tokio::net::TcpListener;

/// Runs a script where that I/O can be had.
pub(crate) fn run<F: Future<Output = ()>>(io: IoChoice, script: impl FnOnce(IoChoice) -> F) {
    if !support::has_io(io) {
        return;
    }
    alone(script(io));
}

/// Runs a script that needs no reflector.
pub(crate) fn alone(script: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    support::log_to_output();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { within("the script", script).await });
    runtime.shutdown_timeout(Duration::from_secs(5));
}

/// Fails when it takes too long.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// A reflector on a free port of loopback. Starting and stopping one blocks.
pub(crate) fn reflector(io: IoChoice) -> (Reflector, SocketAddr) {
    let reflector = Reflector::start(&reflector::ReflectorConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        shards: Some(2),
        io,
        settings: ShardConfig { keepalive: 60, ..ShardConfig::default() },
        ..reflector::ReflectorConfig::default()
    })
    .unwrap();
    let address = reflector.listen_addr();
    (reflector, address)
}

/// A leaf that loses no time between attempts.
pub(crate) fn config() -> LeafConfig {
    let (min, max) = (Duration::from_millis(10), Duration::from_millis(100));
    LeafConfig { node: "test".into(), backoff: Backoff { min, max }, ..LeafConfig::default() }
}

/// A leaf with one server.
pub(crate) async fn leaf(address: SocketAddr) -> MetalBond {
    let leaf = MetalBond::start(config());
    leaf.add_peer(address.to_string(), None).await.unwrap();
    leaf
}

/// Answers HTTP for a leaf, as long as the test runs; where.
pub(crate) async fn answer_http(leaf: &MetalBond) -> SocketAddr {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Http::new(leaf.clone()).serve(listener));
    address
}

pub(crate) fn route(vni: u32, n: u32, hop: u16) -> Route {
    let destination = Destination::new((0x0a00_0000 + n).to_be_bytes().into(), 32).unwrap();
    let hop = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, hop);
    Route { vni: Vni(vni), destination, next_hop: NextHop::standard(hop.into()) }
}

pub(crate) fn routes(vni: u32, numbers: std::ops::Range<u32>, hop: u16) -> Vec<Route> {
    numbers.map(|n| route(vni, n, hop)).collect()
}

pub(crate) fn target(vni: u32, n: u32, hop: u16) -> Route {
    let plain = route(vni, n, hop);
    let kind = NextHopType::LoadBalancerTarget;
    let next_hop = NextHop::new(plain.next_hop.address(), 0, kind, 0, 0).unwrap();
    Route { next_hop, ..plain }
}

pub(crate) async fn announce(leaf: &MetalBond, route: Route) -> Result<(), Error> {
    leaf.announce_route(route.vni, route.destination, route.next_hop).await
}

pub(crate) async fn withdraw(leaf: &MetalBond, route: Route) -> Result<(), Error> {
    leaf.withdraw_route(route.vni, route.destination, route.next_hop).await
}

pub(crate) async fn announce_all(leaf: &MetalBond, routes: &[Route]) {
    for route in routes {
        announce(leaf, *route).await.unwrap();
    }
}

/// Waits until the leaf knows exactly these routes of a VNI, as a watch and as an answer.
pub(crate) async fn expect_routes(leaf: &MetalBond, vni: u32, expected: &[Route]) {
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    let mut watch = leaf.watch_routes(Some(Vni(vni))).await.unwrap();
    let mut view = BTreeSet::new();
    within("the routes", async {
        loop {
            let batch = watch.next().await.unwrap();
            apply(&mut view, &batch.changes);
            // Between the two more may have come, which the next batch then tells.
            if batch.caught_up
                && view == expected
                && leaf.routes(Vni(vni)).await.unwrap().iter().eq(&expected)
            {
                break;
            }
        }
    })
    .await;
}

/// Makes changes, which must make sense.
pub(crate) fn apply(view: &mut BTreeSet<Route>, changes: &[Update]) {
    for change in changes {
        let route = Route::from(*change);
        let sensible = match change.action {
            Action::Add => view.insert(route),
            Action::Remove => view.remove(&route),
        };
        assert!(sensible, "{change:?} makes no sense");
    }
}

/// Waits until a peer is as wanted.
pub(crate) async fn until_peer(
    leaf: &MetalBond,
    address: SocketAddr,
    wanted: impl Fn(&PeerStatus) -> bool,
) -> PeerStatus {
    let mut watch = leaf.watch_peers().await.unwrap();
    let address = address.to_string();
    within("the peer's state", async {
        loop {
            for change in watch.next().await.unwrap() {
                match change.status {
                    Some(status) if change.address == address && wanted(&status) => return status,
                    _ => {}
                }
            }
        }
    })
    .await
}

pub(crate) async fn until_established(leaf: &MetalBond, address: SocketAddr) {
    until_peer(leaf, address, |status| status.state == PeerState::Established).await;
}

/// Waits until the routes of a VNI have come whole from a server.
pub(crate) async fn until_in_sync(leaf: &MetalBond, address: SocketAddr, vni: u32) {
    let mut watch = leaf.watch_sync().await.unwrap();
    within("in sync", async {
        loop {
            let changes = watch.next().await.unwrap();
            if changes.iter().any(|change| {
                change.peer == address.to_string() && change.vni == Vni(vni) && change.in_sync
            }) {
                break;
            }
        }
    })
    .await;
}
