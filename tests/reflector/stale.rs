//! Peers that are gone without a word and come back: nobody notices. Each connects under a name of its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use metalbond::client::{LeafConfig, MetalBond};
use metalbond::policy::Policy;
use metalbond::reflector::inspect::{Cursor, RouteFilter, RouteInfo};
use metalbond::wire::{Message, Vni};

use crate::harness::client::hello_of;
use crate::harness::{
    Client, Reflector, ReflectorConfig, Route, counters, eventually, on_each_io, peers, route,
    routes, start,
};

on_each_io!(
    a_restart_of_an_agent_is_not_noticed,
    routes_that_are_not_announced_again_go_when_the_time_is_over,
    routes_of_a_peer_that_stays_away_go_when_the_time_is_over,
    a_goodbye_withdraws_at_once,
    a_leaf_says_goodbye_when_it_stops,
    a_verdict_withdraws_at_once,
    a_peer_of_another_name_does_not_have_them,
    a_class_has_a_time_of_its_own,
);

/// In which many VNIs of both shards routes are.
const VNIS: u32 = 8;

fn holding(config: &ReflectorConfig, time: Duration) -> ReflectorConfig {
    let mut config = config.clone();
    config.settings.stale_hold = time;
    config
}

fn as_host(reflector: &Reflector, name: &str) -> Client {
    Client::connect(reflector.listen_addr()).shake_hands(hello_of(name))
}

/// What host 17 announces.
fn table() -> Vec<Route> {
    (1..=VNIS).flat_map(|vni| routes(vni, 0..20, 17)).collect()
}

/// A watcher that has what a host announces, and the host.
fn scene(reflector: &Reflector) -> (Client, Client) {
    let mut watcher = as_host(reflector, "watcher");
    for vni in 1..=VNIS {
        watcher.subscribe(vni);
    }
    let mut host = as_host(reflector, "hv-17");
    host.announce_all(&table());
    watcher.expect_view(&table());
    (watcher, host)
}

fn stale(reflector: &Reflector) -> u64 {
    counters(reflector).total.now.stale
}

/// The routes of a VNI, as operators see them.
fn shown(reflector: &Reflector) -> Vec<RouteInfo> {
    let inspector = reflector.inspector();
    let all = inspector.routes(Vni(1), RouteFilter::default(), Cursor::default(), 100);
    let page = crate::harness::ask(all).unwrap();
    assert_eq!(page.rows.len(), 20);
    page.rows
}

fn is_gone(reflector: &Reflector) {
    eventually("the end of the session", || peers(reflector) == 1);
}

fn a_restart_of_an_agent_is_not_noticed(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(3600)));
    let (mut watcher, mut host) = scene(&reflector);
    // Several times, over both shards.
    for round in 0..5 {
        if round % 2 == 0 {
            host.reset();
        } else {
            drop(host);
        }
        is_gone(&reflector);
        eventually("stale routes", || stale(&reflector) == table().len() as u64);
        assert!(shown(&reflector).iter().all(|row| row.stale_announcers == row.announcers));
        host = as_host(&reflector, "hv-17");
        for vni in 1..=VNIS {
            host.subscribe(vni);
            host.expect_end_of_table(vni);
        }
        host.expect_view(&[]);
        host.announce_all(&table());
        eventually("no stale routes", || stale(&reflector) == 0);
        assert!(shown(&reflector).iter().all(|row| row.stale_announcers.is_empty()));
    }
    assert_eq!(watcher.removes(), 0);
    watcher.expect_view(&table());
    // They are its own: it can withdraw them, and they count as its own.
    let shown = crate::harness::ask(reflector.inspector().find_peer("hv-17")).unwrap();
    assert_eq!(shown[0].routes, table().len() as u64);
    host.withdraw_all(&table());
    watcher.expect_view(&[]);
}

fn routes_that_are_not_announced_again_go_when_the_time_is_over(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(2)));
    let (mut watcher, host) = scene(&reflector);
    drop(host);
    is_gone(&reflector);
    let mut host = as_host(&reflector, "hv-17");
    let kept = &table()[..50];
    host.announce_all(kept);
    watcher.expect_view(kept);
    eventually("no stale routes", || stale(&reflector) == 0);
    let shown = || crate::harness::ask(reflector.inspector().find_peer("hv-17")).unwrap();
    eventually("the count of those that are left", || shown()[0].routes == kept.len() as u64);
}

fn routes_of_a_peer_that_stays_away_go_when_the_time_is_over(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(1)));
    let (mut watcher, host) = scene(&reflector);
    host.reset();
    is_gone(&reflector);
    assert_eq!(watcher.removes(), 0);
    watcher.expect_view(&[]);
    eventually("nothing is left of it", || stale(&reflector) == 0);
}

fn a_goodbye_withdraws_at_once(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(3600)));
    let (mut watcher, mut host) = scene(&reflector);
    host.send(&Message::Goodbye);
    drop(host);
    watcher.expect_view(&[]);
}

fn a_leaf_says_goodbye_when_it_stops(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(3600)));
    let mut watcher = as_host(&reflector, "watcher");
    watcher.subscribe(1);
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    let own = route(1, 1, 17);
    let leaf = runtime.block_on(async {
        let leaf = MetalBond::start(LeafConfig { node: "leaf".into(), ..LeafConfig::default() });
        leaf.add_peer(reflector.listen_addr().to_string(), None).await.unwrap();
        leaf.subscribe(Vni(1)).await.unwrap();
        let Route { vni, destination, next_hop } = own;
        leaf.announce_route(vni, destination, next_hop).await.unwrap();
        leaf
    });
    watcher.expect_view([&own]);
    runtime.block_on(leaf.shutdown());
    watcher.expect_view(&[]);
    assert_eq!(stale(&reflector), 0);
}

fn a_verdict_withdraws_at_once(config: ReflectorConfig) {
    let mut config = holding(&config, Duration::from_secs(3600));
    config.settings.limits.routes_per_peer = table().len() as u64;
    let (reflector, _) = start(&config);
    let (mut watcher, mut host) = scene(&reflector);
    host.announce(&route(1, 1000, 17));
    host.expect_closed();
    watcher.expect_view(&[]);
}

fn a_peer_of_another_name_does_not_have_them(config: ReflectorConfig) {
    let (reflector, _) = start(&holding(&config, Duration::from_secs(3600)));
    let (mut watcher, host) = scene(&reflector);
    drop(host);
    is_gone(&reflector);
    let mut other = as_host(&reflector, "hv-18");
    other.subscribe(1);
    other.expect_view(&routes(1, 0..20, 17));
    // The virtual machine has moved there.
    let moved = route(1, 3, 18);
    other.announce(&moved);
    let stays = |it: &&Route| it.destination != moved.destination || it.vni != Vni(1);
    let table = table();
    let left: Vec<_> = table.iter().filter(stays).chain([&moved]).collect();
    watcher.expect_view(left);
}

fn a_class_has_a_time_of_its_own(config: ReflectorConfig) {
    let policy =
        "[[policy.class]]\nname = \"agent\"\nfrom = \"127.0.0.0/8\"\nstale-hold = \"3600s\"\n";
    let mut config = config.clone();
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.settings.policy = Arc::new(Policy::read(policy).unwrap());
    let (reflector, _) = start(&config);
    let port = reflector.listen_addr().port();
    let connect = |from: SocketAddr, name: &str| Client::connect(from).shake_hands(hello_of(name));
    let mut watcher = connect((Ipv6Addr::LOCALHOST, port).into(), "watcher");
    watcher.subscribe(1);
    let mut agent = connect((Ipv4Addr::LOCALHOST, port).into(), "agent");
    let mut other = connect((Ipv6Addr::LOCALHOST, port).into(), "other");
    let (kept, gone) = (route(1, 1, 1), route(1, 2, 2));
    agent.announce(&kept);
    other.announce(&gone);
    watcher.expect_view([&kept, &gone]);
    agent.reset();
    other.reset();
    watcher.expect_view([&kept]);
    assert_eq!(stale(&reflector), 1);
    let wrong = Policy::read("[[policy.class]]\nname = \"default\"\nstale-hold = \"5\"\n");
    let wrong = wrong.unwrap_err();
    assert!(
        wrong[0].to_string().contains("stale-hold \"5\": expected one of the units"),
        "{wrong:?}"
    );
}
