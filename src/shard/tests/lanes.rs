//! What waits between shards.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::{Cluster, full_read, request, updates};
use crate::ids::ShardId;
use crate::session::CloseReason;
use crate::shard::config::{LimitAction, Limits};
use crate::shard::fair::QUANTUM;
use crate::shard::{Flow, READ_MIN, Request, ShardConfig};
use crate::wire::Action;

fn cost(parcel: &[Request]) -> usize {
    parcel.iter().map(Request::cost).sum()
}

/// As many updates wait as ten thousand peers send in a read each while all of them wait to be read, and then
/// some more until the lane is full.
#[test]
fn ten_thousand_peers_have_a_read_each_waiting_before_no_peer_is_read() {
    let mut cluster = Cluster::new(2);
    let far = cluster.vnis(1).next().unwrap();
    let bystander = cluster.establish(0, 1 << 20);
    let read = full_read(far, READ_MIN);
    let mut waiting = 0;
    while cluster.shards[0].read_room(bystander) > 0 {
        assert!(waiting < 15_000, "the lane is never full");
        let slot = cluster.establish(0, waiting);
        assert_eq!(cluster.say(0, slot, &read), Flow::Pause, "it waits for itself");
        waiting += 1;
        if waiting % 16 == 0 {
            cluster.turn(0);
        }
    }
    assert!(waiting > 10_000, "{waiting} peers");
    assert!(cluster.turn(0).is_empty(), "nobody is read");
    // A parcel has requests of many peers, and when it is sent there is room again.
    let parcel = cluster.shards[0].take_requests(ShardId(1)).expect("a parcel");
    let peers: BTreeSet<_> = parcel.iter().filter_map(Request::peer).collect();
    assert!((1024..1024 + 2 * QUANTUM).contains(&cost(&parcel)), "{}", cost(&parcel));
    assert!(peers.len() >= 1024 / (2 * QUANTUM), "{} peers in a parcel", peers.len());
    assert!(cluster.turn(0).contains(&bystander));
    assert!(cluster.shards[0].read_room(bystander) > 0);
}

#[test]
fn an_owner_takes_in_16384_updates_of_other_shards_and_leaves_the_rest_in_the_channel() {
    let mut cluster = Cluster::new(2);
    let vni = cluster.vnis(0).next().unwrap();
    let mut taken = 0;
    let mut peer = 0;
    while cluster.shards[0].takes_requests() {
        let parcel: Vec<_> = (0..32).map(|n| request(peer + n, 1, vni, 0..32)).collect();
        taken += cost(&parcel);
        peer += 32;
        assert!(peer < 2000, "it takes in everything");
        cluster.shards[0].requests(parcel);
    }
    assert_eq!(taken, 16_384);
    cluster.turn(0);
    assert!(cluster.shards[0].takes_requests());
}

/// An owner sends deliveries to another shard, which takes nothing.
#[test]
fn a_full_delivery_lane_stops_requests_and_reading_until_it_is_sent() {
    let mut cluster = Cluster::new(2);
    let vni = cluster.vnis(0).next().unwrap();
    let near = cluster.establish(0, 1 << 20);
    cluster.turn(0);
    // Each request is answered: the peer announces a route more.
    let requests: Vec<_> =
        (0..3000).map(|n| request(u64::from(n % 50), 1, vni, n..n + 1)).collect();
    cluster.shards[0].requests(requests);
    assert!(cluster.turn(0).is_empty());
    let left = cluster.shards[0].tables.queue().cost();
    assert!(left > 1500, "{left} wait to be served");
    assert!(!cluster.shards[0].takes_requests());
    assert_eq!(cluster.shards[0].read_room(near), 0);
    assert!(cluster.turn(0).is_empty());
    assert_eq!(cluster.shards[0].tables.queue().cost(), left, "nothing is served");
    // All deliveries go as one parcel, which the receiver always takes in.
    let parcel = cluster.shards[0].take_deliveries(ShardId(1)).expect("a parcel");
    assert!((1025..1100).contains(&parcel.len()), "{}", parcel.len());
    cluster.shards[1].deliveries(cluster.now, parcel);
    assert!(cluster.shards[0].takes_requests());
    assert_eq!(cluster.outputs(0), [near]);
    cluster.turn(0);
    assert!(cluster.shards[0].tables.queue().cost() < left);
}

/// The owner is on another shard, and has not yet answered the REMOVE when the ADD is sent.
#[test]
fn a_peer_at_its_limit_replaces_a_route_in_a_vni_of_another_shard() {
    let mut cluster = Cluster::new(2);
    let limits = Limits {
        routes_per_peer: 10,
        routes_per_peer_action: LimitAction::Ignore,
        ..Limits::default()
    };
    for shard in &mut cluster.shards {
        shard.set_settings(ShardConfig { limits, ..ShardConfig::default() });
    }
    let far = cluster.vnis(1).next().unwrap();
    let slot = cluster.establish(0, 1);
    let announced =
        |cluster: &Cluster| cluster.shards[0].connections.peers()[slot].memberships.routes();
    cluster.say(0, slot, &updates(Action::Add, far, 0..10));
    cluster.exchange();
    assert_eq!(announced(&cluster), 10);
    for n in 10..20 {
        cluster.say(0, slot, &updates(Action::Remove, far, n - 10..n - 9));
        cluster.turn(0);
        cluster.say(0, slot, &updates(Action::Add, far, n..n + 1));
        cluster.exchange();
        assert_eq!(announced(&cluster), 10, "route {n} took the place of another");
    }
    cluster.say(0, slot, &updates(Action::Add, far, 20..21));
    cluster.exchange();
    assert_eq!(announced(&cluster), 10, "that is one too many");
}

/// The owner is on another shard, and the last updates have not been sent to it when the session ends.
#[test]
fn routes_that_are_kept_are_those_that_the_peer_had_not_withdrawn() {
    let mut cluster = Cluster::new(2);
    for shard in &mut cluster.shards {
        let stale_hold = Duration::from_secs(60);
        shard.set_settings(ShardConfig { stale_hold, ..ShardConfig::default() });
    }
    let far = cluster.vnis(1).next().unwrap();
    let slot = cluster.establish(0, 1);
    cluster.say(0, slot, &updates(Action::Add, far, 0..10));
    cluster.exchange();
    cluster.say(0, slot, &updates(Action::Remove, far, 0..6));
    cluster.say(0, slot, &updates(Action::Add, far, 10..13));
    cluster.shards[0].close(slot, CloseReason::PeerClosed);
    cluster.exchange();
    let now = cluster.shards[1].metrics().now;
    assert_eq!((now.routes, now.stale), (7, 7));
}
