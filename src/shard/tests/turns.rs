//! How much of what waits is served in one turn.

use super::cluster::{Cluster, encode, request, updates};
use crate::wire::{Action, Message};

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
