//! How much of what waits is served in one turn.

use super::cluster::{Cluster, encode, request, updates};
use crate::shard::{Request, ShardConfig};
use crate::table::Announcement;
use crate::wire::{Action, Destination, Message, NextHop, Update, Vni};

#[test]
fn a_turn_serves_16384_updates() {
    let mut cluster = Cluster::new(2);
    let vni = cluster.vnis(0).next().unwrap();
    for peer in 0..1000 {
        // All announce the same routes, so their shard is told only of the counts.
        let requests = (0..2).map(|_| request(peer, 0, vni, 0..32)).collect();
        cluster.shards[0].requests(requests);
    }
    assert_eq!(cluster.shards[0].tables.queue().cost(), 64_000);
    for left in [64_000 - 16_384, 64_000 - 2 * 16_384] {
        cluster.turn(0);
        assert_eq!(cluster.shards[0].tables.queue().cost(), left);
    }
}

#[test]
fn a_turn_builds_32_chunks() {
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let publisher = cluster.establish(0, 1000);
    cluster.say(0, publisher, &updates(Action::Add, vni, 0..10));
    let peers: Vec<_> = (0..100).map(|id| cluster.establish(0, id)).collect();
    cluster.settle(0);
    for slot in peers {
        cluster.say(0, slot, &encode(&[Message::Subscribe(vni)]));
    }
    let chunks = |cluster: &Cluster| cluster.shards[0].metrics().stats.chunks;
    let mut before = chunks(&cluster);
    let mut turns = Vec::new();
    while chunks(&cluster) < 100 {
        cluster.turn(0);
        turns.push(chunks(&cluster) - before);
        before = chunks(&cluster);
        assert!(turns.len() < 20, "{turns:?}");
    }
    // A SUBSCRIBE itself costs a little.
    assert!(turns.iter().all(|chunks| *chunks <= 32) && turns.contains(&32), "{turns:?}");
}

/// A destination and one of its next hops.
fn route(destination: u8, hop: u16) -> Announcement {
    let destination = Destination::new([10, 0, 0, destination].into(), 32).unwrap();
    let next_hop = NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, hop].into());
    Announcement { action: Action::Add, destination, next_hop }
}

/// A shard that serves 256 updates in a turn. In a VNI there are 200 destinations with 64 next hops each, and a
/// subscriber that wants one of each.
fn choice() -> (Cluster, Vni) {
    let mut cluster = Cluster::new(2);
    let mut settings = ShardConfig { one_next_hop: true, ..ShardConfig::default() };
    settings.bounds.work_per_turn = 256;
    cluster.set_settings(&settings);
    let vni = cluster.vnis(0).next().unwrap();
    let routes: Vec<_> = (0..200).flat_map(|to| (1..=64).map(move |hop| route(to, hop))).collect();
    cluster.shards[0].requests(vec![updates_of(1, vni, routes)]);
    cluster.settle(0);
    let slot = cluster.establish(0, 2);
    cluster.say(0, slot, &encode(&[Message::Subscribe(vni)]));
    cluster.settle(0);
    assert_eq!(cluster.peer(0, 2).unwrap().counts.updates_sent.adds, 200);
    (cluster, vni)
}

/// Updates of a peer of the other shard.
fn updates_of(peer: u64, vni: Vni, updates: Vec<Announcement>) -> Request {
    let mut request = request(peer, 1, vni, 0..0);
    if let Request::Updates { updates: all, .. } = &mut request {
        *all = updates;
    }
    request
}

#[test]
fn a_turn_serves_fewer_updates_if_each_costs_a_look_at_many_next_hops() {
    let (mut cluster, vni) = choice();
    let one = |to| updates_of(1000 + u64::from(to), vni, vec![route(to, 0)]);
    cluster.shards[0].requests((0..200).map(one).collect());
    cluster.turn(0);
    // Each costs one update and the looks at 65 next hops.
    let left = cluster.shards[0].tables.queue().cost();
    assert!((168..=176).contains(&left), "{left} of 200 are left");
    cluster.settle(0);
    assert_eq!(cluster.peer(0, 2).unwrap().counts.updates_sent.adds, 200, "the choice stays");
}

#[test]
fn updates_of_a_shards_own_peers_wait_for_its_turn_if_they_cost_many_looks() {
    let (mut cluster, vni) = choice();
    let slot = cluster.establish(0, 3);
    let update = |to| {
        let Announcement { action, destination, next_hop } = route(to, 0);
        Message::Update(Update { action, vni, destination, next_hop })
    };
    cluster.say(0, slot, &encode(&(0..200).map(update).collect::<Vec<_>>()));
    let left = cluster.shards[0].tables.queue().cost();
    assert_eq!(left, 200 - 32, "the first are carried out together");
}
