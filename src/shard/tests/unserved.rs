//! Subscriptions to VNIs for which there is no room.

use super::cluster::{Cluster, encode};
use crate::shard::growth::{Amounts, Ceiling};
use crate::wire::{Message, Vni};

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
