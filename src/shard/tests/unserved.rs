//! Subscriptions to VNIs for which there is no room.

use std::time::Duration;

use super::cluster::{Cluster, encode, updates};
use crate::shard::growth::{Amounts, Ceiling};
use crate::wire::{Action, Message, Vni};

/// A shard that may have this number of VNIs.
fn allow(cluster: &mut Cluster, vnis: i64) {
    let grown = Amounts { vnis, ..Amounts::ANY };
    cluster.shards[0].set_ceiling(Ceiling { grown, ..Ceiling::default() });
}

/// A shard with one client and one VNI, and room for no other VNI.
fn full() -> (Cluster, Vec<Vni>) {
    let mut cluster = Cluster::new(1);
    allow(&mut cluster, 1);
    let vnis: Vec<Vni> = cluster.vnis(0).take(3).collect();
    let first = cluster.establish(0, 1);
    cluster.say(0, first, &encode(&[Message::Subscribe(vnis[0])]));
    cluster.settle(0);
    (cluster, vnis)
}

#[test]
fn subscriptions_that_were_refused_and_have_ended_leave_nothing_behind() {
    let (mut cluster, vnis) = full();
    let slot = cluster.establish(0, 2);
    let unserved = |cluster: &Cluster| {
        let rare = cluster.peer(0, 2).unwrap().counts.rare.as_ref();
        rare.map_or(0, |rare| rare.unserved.len())
    };
    let mut most = 0;
    for _ in 0..1000 {
        cluster.say(0, slot, &encode(&[Message::Subscribe(vnis[1]), Message::Subscribe(vnis[2])]));
        cluster.turn(0);
        most = unserved(&cluster).max(most);
        let ends = [Message::Unsubscribe(vnis[1]), Message::Unsubscribe(vnis[2])];
        cluster.say(0, slot, &encode(&ends));
        cluster.turn(0);
    }
    assert!((2..100).contains(&most), "{most}");
}

#[test]
fn a_refused_subscription_is_served_when_another_peer_has_made_room_for_its_vni() {
    let (mut cluster, vnis) = full();
    let reader = cluster.establish(0, 2);
    cluster.say(0, reader, &encode(&[Message::Subscribe(vnis[1])]));
    cluster.settle(0);
    // The VNI of another peer takes the last place.
    allow(&mut cluster, 2);
    let announcer = cluster.establish(0, 3);
    cluster.say(0, announcer, &updates(Action::Add, vnis[1], 0..1));
    cluster.turn(0);
    assert_eq!(cluster.shards[0].growth().room().vnis, 0);
    for _ in 0..3 {
        cluster.now = cluster.now + Duration::from_secs(1);
        cluster.settle(0);
    }
    assert_eq!(cluster.peer(0, 2).unwrap().counts.updates_sent.adds, 1);
}

#[test]
fn a_refused_subscription_counts_once_however_often_it_is_tried() {
    let (mut cluster, vnis) = full();
    let reader = cluster.establish(0, 2);
    cluster.say(0, reader, &encode(&[Message::Subscribe(vnis[1])]));
    for _ in 0..3 {
        cluster.now = cluster.now + Duration::from_secs(1);
        cluster.settle(0);
    }
    assert_eq!(cluster.shards[0].tables.refusals(), 1);
    assert!(cluster.peer(0, 2).unwrap().counts.is_unserved(vnis[1]));
}
