//! How much is read of whom.

use super::cluster::{Cluster, encode, full_read, updates};
use crate::ids::ShardId;
use crate::shard::{Flow, Request};
use crate::wire::{Action, Message};

const KIB: usize = 1024;

#[test]
fn a_read_is_64_kib_and_between_two_turns_there_are_128_kib() {
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let peers = [1, 2, 3, 4].map(|id| cluster.establish(0, id));
    cluster.turn(0);
    let read = full_read(vni, 64 * KIB);
    for slot in &peers[..3] {
        // Two reads of whole messages leave a few bytes of room, so there is a third read.
        assert_eq!(cluster.shards[0].read_room(*slot), 64 * KIB);
        assert_eq!(cluster.say(0, *slot, &read), Flow::Continue);
    }
    for slot in peers {
        assert_eq!(cluster.shards[0].read_room(slot), 0, "the rest waits in the sockets");
    }
    assert_eq!(cluster.turn(0), peers, "in the next turn it is read on");
    assert_eq!(cluster.shards[0].read_room(peers[3]), 32 * KIB);
}

#[test]
fn the_more_peers_wait_the_less_each_is_read_and_all_have_their_turn() {
    const PEERS: u64 = 100;
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let peers: Vec<_> = (0..PEERS).map(|id| cluster.establish(0, id)).collect();
    cluster.turn(0);
    for _ in 0..3 {
        cluster.say(0, peers[0], &full_read(vni, 64 * KIB));
    }
    for slot in &peers {
        assert_eq!(cluster.shards[0].read_room(*slot), 0);
    }
    let read = full_read(vni, 4 * KIB);
    let mut reads = vec![0; peers.len()];
    // Each peer always has more to send. Bytes that could not be read in a turn are read in the next.
    let mut waiting = cluster.turn(0);
    assert_eq!(waiting, peers);
    let mut turns = 0;
    while reads.iter().any(|reads| *reads < 5) {
        turns += 1;
        for slot in std::mem::take(&mut waiting) {
            let room = cluster.shards[0].read_room(slot);
            if room > 0 {
                assert_eq!(room, 4 * KIB);
                cluster.say(0, slot, &read);
                reads[slot.index()] += 1;
                waiting.push(slot);
            }
        }
        waiting.splice(0..0, cluster.turn(0));
    }
    let most = reads.iter().max().unwrap();
    assert!(*most <= 7, "{most} reads of one, and 5 of another");
    assert!(turns <= 5 * 4, "{turns} turns");
}

#[test]
fn a_peer_of_which_64_updates_wait_is_not_read_and_others_are() {
    let mut cluster = Cluster::new(2);
    let far = cluster.vnis(1).next().unwrap();
    let [slow, fast, other] = [1, 2, 3].map(|id| cluster.establish(0, id));
    cluster.turn(0);
    for n in 0..64 {
        let flow = cluster.say(0, slow, &updates(Action::Add, far, n..n + 1));
        assert_eq!(flow, if n < 63 { Flow::Continue } else { Flow::Pause }, "{n}");
    }
    // One read may be far larger than the room, and is the last one.
    let read = full_read(far, 64 * KIB);
    assert_eq!(cluster.say(0, fast, &read), Flow::Pause);
    for slot in [slow, fast] {
        assert_eq!(cluster.shards[0].read_room(slot), 0);
    }
    assert_eq!(cluster.shards[0].read_room(other), 64 * KIB);
    // Each is read on when fewer updates than that wait with the sender.
    let (mut sent, mut resumed) = (0, Vec::new());
    while resumed.len() < 2 {
        let parcel = cluster.shards[0].take_requests(ShardId(1)).expect("more");
        sent += parcel.iter().map(Request::cost).sum::<usize>();
        resumed.extend(cluster.turn(0));
    }
    assert_eq!(resumed, [slow, fast]);
    let written = 64 + read.len() / updates(Action::Add, far, 0..1).len();
    assert!(sent <= written && written - sent < 64, "{sent} of {written}");
}

#[test]
fn a_peer_whose_subscribe_waits_with_an_owner_on_its_shard_queues_64_updates_behind_it() {
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let [talker, other] = [1, 2].map(|id| cluster.establish(0, id));
    cluster.turn(0);
    cluster.say(0, talker, &encode(&[Message::Subscribe(vni)]));
    let mut written = 0;
    while cluster.say(0, talker, &updates(Action::Add, vni, written..written + 1)) == Flow::Continue
    {
        written += 1;
    }
    // The SUBSCRIBE and its chunks cost something, too.
    assert!((60..64).contains(&written), "{written}");
    assert_eq!(cluster.shards[0].read_room(talker), 0);
    assert_eq!(cluster.shards[0].read_room(other), 64 * KIB);
    assert_eq!(cluster.turn(0), [talker]);
}
