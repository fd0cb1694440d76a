//! A connection moves to another shard, and something else happens meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cluster::{Cluster, encode, updates};
use crate::ids::{PeerId, ShardId};
use crate::policy::Policy;
use crate::session::CloseReason;
use crate::shard::moves::MoveOrder;
use crate::shard::{ShardConfig, Slot, Traveller};
use crate::wire::{Action, Message, Vni};

/// Begins a move.
fn relocate(cluster: &mut Cluster, from: usize, id: u64) {
    let to = ShardId::at(cluster.shards.len() - 1 - from);
    let order = MoveOrder::Relocate { peer: PeerId(id), to, number: 1 };
    cluster.shards[from].order(cluster.now, order);
}

/// The connection, once all owners have answered. Nobody reads meanwhile.
fn leave(cluster: &mut Cluster, from: usize, slot: Slot) -> Traveller {
    for _ in 0..3 {
        match cluster.shards.len() {
            1 => drop(cluster.turn(0)),
            _ => cluster.pass(),
        }
    }
    cluster.shards[from].leave(cluster.now, slot, Bytes::new()).expect("it leaves")
}

/// Takes a connection out to move it.
pub(super) fn take_out(cluster: &mut Cluster, from: usize, slot: Slot, id: u64) -> Traveller {
    relocate(cluster, from, id);
    leave(cluster, from, slot)
}

/// Turns of both shards for some milliseconds, while all peers read.
fn go_on(cluster: &mut Cluster) {
    for _ in 0..20 {
        cluster.now = cluster.now + Duration::from_millis(1);
        cluster.exchange();
    }
}

/// Settings by which clients may subscribe to these VNIs.
fn may_subscribe(vnis: &[Vni]) -> ShardConfig {
    let vnis: Vec<u32> = vnis.iter().map(|vni| vni.0).collect();
    let text = format!("[policy]\n[[policy.class]]\nname = \"default\"\nsubscribe = {vnis:?}");
    ShardConfig { policy: Arc::new(Policy::read(&text).unwrap()), ..ShardConfig::default() }
}

/// Two shards, a VNI that clients may see, and one of this owner that they may not. In each a route is announced. A
/// client has subscribed to both.
fn reader(owner: u16) -> (Cluster, Slot, [Vni; 2]) {
    let mut cluster = Cluster::new(2);
    let vnis = [cluster.vnis(1).next().unwrap(), cluster.vnis(owner).nth(1).unwrap()];
    cluster.set_settings(&may_subscribe(&vnis[..1]));
    let announcer = cluster.establish(1, 9);
    for vni in vnis {
        cluster.say(1, announcer, &updates(Action::Add, vni, 0..1));
    }
    let slot = cluster.establish(0, 1);
    cluster.say(0, slot, &encode(&vnis.map(Message::Subscribe)));
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 0), (1, 0));
    (cluster, slot, vnis)
}

/// How many ADDs the client has received, and how many subscriptions still wait for chunks.
fn received(cluster: &Cluster, shard: usize) -> (u64, u64) {
    let peer = cluster.peer(shard, 1).unwrap();
    (peer.counts.updates_sent.adds, peer.behind_count())
}

#[test]
fn a_subscription_that_is_allowed_during_a_move_is_served_on_the_new_shard() {
    for owner in [0, 1] {
        let (mut cluster, slot, vnis) = reader(owner);
        relocate(&mut cluster, 0, 1);
        cluster.set_settings(&may_subscribe(&vnis));
        let traveller = leave(&mut cluster, 0, slot);
        cluster.shards[1].arrive(cluster.now, traveller);
        go_on(&mut cluster);
        assert_eq!(received(&cluster, 1), (2, 0), "owner {owner}");
    }
}

#[test]
fn a_subscription_that_is_allowed_during_a_move_is_served_when_the_connection_stays() {
    let (mut cluster, _, vnis) = reader(0);
    relocate(&mut cluster, 0, 1);
    cluster.set_settings(&may_subscribe(&vnis));
    cluster.turn(0);
    cluster.shards[0].order(cluster.now, MoveOrder::Stay { peer: PeerId(1), number: 1 });
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 0), (2, 0));
}

#[test]
fn a_subscription_that_is_allowed_on_arrival_takes_no_changes_from_the_others() {
    let (mut cluster, slot, vnis) = reader(1);
    let announcer = cluster.shards[1].inspect().slot_of(PeerId(9)).unwrap();
    cluster.say(1, announcer, &updates(Action::Add, vnis[0], 1..4));
    // The change is sealed and waits to be sent to the client.
    for _ in 0..3 {
        cluster.now = cluster.now + Duration::from_millis(5);
        cluster.pass();
    }
    assert!(!cluster.peer(0, 1).unwrap().outbox.is_empty());
    let traveller = take_out(&mut cluster, 0, slot, 1);
    cluster.shards[1].set_settings(may_subscribe(&vnis));
    cluster.shards[1].arrive(cluster.now, traveller);
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 1), (5, 0));
}

#[test]
fn a_subscription_that_only_the_newer_policy_allows_goes_on_where_the_older_one_is_in_force() {
    let (mut cluster, slot, vnis) = reader(0);
    let earlier = may_subscribe(&vnis[..1]).policy;
    let policy = Arc::new((*may_subscribe(&vnis).policy).clone().behind(&earlier));
    let settings = ShardConfig { policy, ..ShardConfig::default() };
    cluster.shards[0].set_settings(settings.clone());
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 0), (2, 0));
    let traveller = take_out(&mut cluster, 0, slot, 1);
    let slot = cluster.shards[1].arrive(cluster.now, traveller);
    go_on(&mut cluster);
    // It ends the subscription there and begins it again: only the newer policy can judge that.
    cluster.say(1, slot, &encode(&[Message::Unsubscribe(vnis[1]), Message::Subscribe(vnis[1])]));
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 1), (2, 0));
    cluster.shards[1].set_settings(settings);
    go_on(&mut cluster);
    assert_eq!(received(&cluster, 1), (3, 0));
}

#[test]
fn the_time_of_a_move_does_not_count_against_a_slow_peer() {
    let mut cluster = Cluster::new(2);
    let send_hold = Duration::from_secs(2);
    cluster.set_settings(&ShardConfig { send_hold, ..ShardConfig::default() });
    let slot = cluster.establish(0, 1); // it does not read the HELLO
    cluster.now = cluster.now + Duration::from_secs(1);
    cluster.turn(0);
    let traveller = take_out(&mut cluster, 0, slot, 1);
    cluster.now = cluster.now + Duration::from_secs(5);
    cluster.shards[1].arrive(cluster.now, traveller);
    cluster.turn(1);
    assert!(cluster.peer(1, 1).is_some());
    cluster.now = cluster.now + Duration::from_secs(3);
    cluster.turn(1);
    assert!(cluster.peer(1, 1).is_none(), "it takes nothing here");
}

/// Settings by which a client that announces any route is closed.
fn closes_for_any_route() -> ShardConfig {
    let text = "[policy]\nverdict = \"close\"\n[[policy.class]]\nname = \"default\"\nannounce = []";
    let before = ShardConfig::default();
    let policy = Policy::read(text).unwrap().behind(&before.policy);
    ShardConfig { policy: Arc::new(policy), ..before }
}

/// A client, and whether its route of another shard's VNI has been refused while it leaves: before its shard knows, or
/// before the shard to which it goes has it.
fn refused_on_its_way() -> (Cluster, Slot) {
    let mut cluster = Cluster::new(2);
    let vni = cluster.vnis(1).next().unwrap();
    let slot = cluster.establish(0, 1);
    cluster.say(0, slot, &updates(Action::Add, vni, 0..1));
    go_on(&mut cluster);
    assert_eq!(cluster.peer(0, 1).unwrap().memberships.routes(), 1);
    cluster.set_settings(&closes_for_any_route());
    // The owner learns of the peer's class together with the move, and then judges its route.
    cluster.turn(0);
    relocate(&mut cluster, 0, 1);
    (cluster, slot)
}

#[test]
fn a_session_that_the_policy_closes_during_a_move_is_closed_on_the_new_shard() {
    let (mut cluster, slot) = refused_on_its_way();
    let traveller = leave(&mut cluster, 0, slot);
    go_on(&mut cluster);
    cluster.shards[1].arrive(cluster.now, traveller);
    go_on(&mut cluster);
    assert!(cluster.peer(1, 1).is_none());
}

#[test]
fn a_session_that_the_policy_closes_during_a_move_is_closed_when_the_connection_stays() {
    let (mut cluster, _) = refused_on_its_way();
    cluster.pass();
    cluster.pass();
    assert!(cluster.peer(0, 1).is_some(), "its owner keeps the verdict");
    cluster.shards[0].order(cluster.now, MoveOrder::Stay { peer: PeerId(1), number: 1 });
    go_on(&mut cluster);
    assert!(cluster.peer(0, 1).is_none());
}

#[test]
fn a_session_that_ends_during_a_move_leaves_nothing_behind() {
    for stays in [false, true] {
        let (mut cluster, slot) = refused_on_its_way();
        cluster.pass();
        if stays {
            cluster.shards[0].order(cluster.now, MoveOrder::Stay { peer: PeerId(1), number: 1 });
        }
        cluster.shards[0].close(slot, CloseReason::PeerClosed);
        cluster.shards[0].release(slot);
        cluster.now = cluster.now + Duration::from_secs(1);
        go_on(&mut cluster);
        cluster.now = cluster.now + Duration::from_secs(1);
        go_on(&mut cluster);
        for shard in &cluster.shards {
            assert_eq!(shard.leftovers(), "", "stays: {stays}");
        }
    }
}
