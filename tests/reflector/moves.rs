//! VNIs and connections move between shards, and no peer notices.

use std::time::Duration;

use metalbond::wire::Action;

use crate::harness::client::update;
use crate::harness::flood::Flood;
use crate::harness::{
    Client, ReflectorConfig, Route, counters, eventually, on_each_io, peers_by_shard, route,
    routes, start,
};

on_each_io!(
    a_fleet_wakes_all_shards_and_gathers_on_one_when_there_is_little_to_do,
    a_load_spreads_sessions_over_the_shards,
);

const VNIS: u32 = 5;

/// Peers that each announce some routes of a VNI, and subscribe to the next.
fn peers(address: std::net::SocketAddr, count: u32) -> Vec<(Client, Vec<Route>)> {
    let peer = |number: u32| {
        let mut client = Client::establish(address);
        let own = routes(1 + number % VNIS, number * 100..number * 100 + 20, 7);
        client.announce_all(&own);
        client.subscribe(1 + (number + 1) % VNIS);
        (client, own)
    };
    (0..count).map(peer).collect()
}

/// Each peer sees exactly what others announce in the VNI that it subscribes to.
fn expect_views(peers: &mut [(Client, Vec<Route>)]) {
    let all: Vec<Vec<Route>> = peers.iter().map(|(_, own)| own.clone()).collect();
    for (number, (client, _)) in (0..).zip(peers) {
        let vni = 1 + (number + 1) % VNIS;
        let announcers = (0..).zip(&all).filter(|(other, _)| 1 + *other % VNIS == vni);
        client.expect_view(announcers.flat_map(|(_, routes): (u32, _)| routes));
    }
}

fn a_fleet_wakes_all_shards_and_gathers_on_one_when_there_is_little_to_do(config: ReflectorConfig) {
    let wake_all_for = Duration::from_secs(6);
    let (reflector, address) = start(&ReflectorConfig { min_shards: 1, wake_all_for, ..config });
    let mut peers = peers(address, 20);
    expect_views(&mut peers);
    eventually("few sessions on one shard", || peers_by_shard(&reflector) == [20, 0]);
    let _fleet: Vec<_> = (20..270).map(|_| Client::establish(address)).collect();
    eventually("a fleet on both shards", || {
        peers_by_shard(&reflector).iter().all(|sessions| *sessions >= 100)
    });
    let flapping = route(1, 9_999, 9);
    eventually("all sessions on one shard", || {
        // Something is on its way at any moment.
        for action in [Action::Add, Action::Remove] {
            peers[0].0.send(&update(action, &flapping));
        }
        peers_by_shard(&reflector) == [270, 0]
    });
    let late = routes(2, 5_000..5_010, 8);
    peers[1].0.announce_all(&late);
    peers[1].1.extend(late);
    expect_views(&mut peers);
    peers.push((Client::establish(address), Vec::new()));
    eventually("a new session on the same shard", || peers_by_shard(&reflector) == [271, 0]);
    let total = counters(&reflector).total;
    assert!(total.closed.is_empty(), "{:?}", total.closed);
    assert_eq!(total.stats.sessions, 271, "moves begin no session");
}

fn a_load_spreads_sessions_over_the_shards(config: ReflectorConfig) {
    let (reflector, address) = start(&ReflectorConfig { min_shards: 1, ..config });
    let mut peers = peers(address, 10);
    eventually("all sessions on one shard", || peers_by_shard(&reflector) == [10, 0]);
    let flood = Flood::start(address, 100..104);
    eventually("sessions on both shards", || {
        peers_by_shard(&reflector).iter().all(|sessions| *sessions >= 4)
    });
    let late = routes(3, 5_000..5_010, 8);
    peers[2].0.announce_all(&late);
    peers[2].1.extend(late);
    expect_views(&mut peers);
    drop(flood);
    eventually("all sessions on one shard again", || peers_by_shard(&reflector) == [10, 0]);
    expect_views(&mut peers);
}
