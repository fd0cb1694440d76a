//! How fast the routes of departed peers are withdrawn.

use std::time::Duration;

use super::cluster::{Cluster, encode, updates};
use crate::session::CloseReason;
use crate::wire::{Action, Message, Vni};

const ROUTES: u32 = 60_000;

/// A peer with many routes has left, and this number of subscribers must be told.
fn departure(subscribers: u64) -> (Cluster, Vni) {
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let publisher = cluster.establish(0, 1);
    for from in (0..ROUTES).step_by(1000) {
        cluster.say(0, publisher, &updates(Action::Add, vni, from..from + 1000));
        cluster.turn(0);
    }
    for id in 0..subscribers {
        let slot = cluster.establish(0, 10 + id);
        cluster.say(0, slot, &encode(&[Message::Subscribe(vni)]));
    }
    for _ in 0..5 {
        cluster.settle(0);
    }
    assert_eq!(routes(&cluster), u64::from(ROUTES));
    assert_eq!(cluster.shards[0].inspect().vni(vni).unwrap().behind, 0, "all are in sync");
    cluster.shards[0].close(publisher, CloseReason::PeerClosed);
    (cluster, vni)
}

fn routes(cluster: &Cluster) -> u64 {
    cluster.shards[0].metrics().now.routes
}

#[test]
fn a_turn_withdraws_8192_routes_of_those_that_have_left() {
    let (mut cluster, _) = departure(0);
    let mut left = u64::from(ROUTES);
    while left > 0 {
        cluster.turn(0);
        let now = routes(&cluster);
        assert_eq!(left - now, left.min(8192));
        left = now;
    }
}

#[test]
fn withdrawals_wait_for_subscribers_but_not_for_long() {
    let (mut cluster, _) = departure(10);
    // Nobody reads. Some routes are withdrawn, and then no more.
    for _ in 0..10 {
        cluster.turn(0);
    }
    let left = routes(&cluster);
    let gone = u64::from(ROUTES) - left;
    assert!((4 * 2048..=8 * 2048).contains(&gone), "{gone} routes are gone");
    cluster.now = cluster.now + Duration::from_millis(19);
    cluster.turn(0);
    assert_eq!(routes(&cluster), left);
    // After 20 ms one VNI withdraws one more share.
    cluster.now = cluster.now + Duration::from_millis(2);
    cluster.turn(0);
    assert_eq!(left - routes(&cluster), 2048);
    // As soon as the subscribers read, it goes on.
    for _ in 0..20 {
        cluster.turn(0);
        cluster.read_all();
    }
    assert!(routes(&cluster) < left - 4 * 2048, "{}", routes(&cluster));
}
