//! Who is served when.

use super::*;
use crate::ids::ShardId;
use crate::policy::{Rights, Selection};
use crate::table::Origin;
use crate::wire::Vni;

fn queue() -> FairQueue {
    FairQueue::new(RandomState::with_seeds(1, 2, 3, 4))
}

fn pull(peer: u64, subscription: u32) -> Request {
    Request::Pull { peer: PeerId(peer), shard: ShardId(0), vni: Vni(1), subscription }
}

fn subscribe(peer: u64) -> Request {
    let origin = Origin {
        peer: PeerId(peer),
        shard: ShardId(0),
        is_server: false,
        rights: Rights::default(),
        selection: Selection::default(),
    };
    Request::Subscribe { origin, vni: Vni(1), received: crate::ids::Moment(0), is_retry: false }
}

fn fence() -> Request {
    Request::Confirm { epoch: 1 }
}

/// Serves the next request at a cost. Returns its peer.
fn serve(queue: &mut FairQueue, cost: usize) -> Option<u64> {
    let peer = queue.take()?.peer();
    queue.served(peer, cost);
    Some(peer.map_or(0, |peer| peer.0))
}

#[test]
fn a_peer_with_little_waits_for_one_quantum_of_each_other() {
    let mut queue = queue();
    for n in 0..1000 {
        queue.push(pull(1, n));
        queue.push(pull(2, n));
    }
    for _ in 0..10 {
        serve(&mut queue, 1);
    }
    queue.push(pull(3, 0));
    let before = std::iter::from_fn(|| serve(&mut queue, 1)).take_while(|peer| *peer != 3);
    assert!(before.count() <= 2 * QUANTUM);
}

#[test]
fn who_costs_much_pays_for_it_with_its_next_turns() {
    let mut queue = queue();
    for n in 0..100 {
        queue.push(pull(1, n));
        queue.push(pull(2, n));
    }
    let (mut dear, mut cheap) = (0, 0);
    for _ in 0..60 {
        let peer = queue.take().and_then(|request| request.peer());
        let (cost, total) =
            if peer == Some(PeerId(1)) { (8 * QUANTUM, &mut dear) } else { (16, &mut cheap) };
        queue.served(peer, cost);
        *total += cost;
    }
    assert!(dear <= cheap + 9 * QUANTUM, "{dear} and {cheap}");
}

#[test]
fn a_subscriber_has_its_turn_at_once_and_no_second_one_in_the_same_round() {
    let mut queue = queue();
    for peer in 1..=20 {
        for n in 0..1000 {
            queue.push(pull(peer, n));
        }
    }
    queue.push(pull(21, 0));
    queue.push(subscribe(21));
    assert_eq!(serve(&mut queue, QUANTUM), Some(21), "not before what it sent");
    queue.push(subscribe(21));
    queue.push(pull(22, 0));
    let served: Vec<u64> = std::iter::from_fn(|| serve(&mut queue, 1)).collect();
    let place = |peer| served.iter().position(|served| *served == peer).unwrap();
    assert!(place(21) > 19 * QUANTUM, "{}", place(21));
    assert!(place(22) <= 21 * QUANTUM, "{}", place(22));
}

#[test]
fn a_barrier_waits_for_what_was_there_and_holds_up_nothing() {
    let mut queue = queue();
    for n in 0..100 {
        queue.push(pull(1, n));
    }
    queue.push(fence());
    queue.push(pull(2, 0));
    let served: Vec<u64> = std::iter::from_fn(|| serve(&mut queue, 1)).collect();
    let place = |peer| served.iter().position(|served| *served == peer).unwrap();
    assert!(place(2) < place(0), "{served:?}");
    assert_eq!(served.iter().filter(|peer| **peer == 1).count(), 100);
    assert_eq!(served.last(), Some(&0));
}

#[test]
fn an_ended_session_leaves_no_cost_and_no_barrier_waiting() {
    let mut queue = queue();
    for n in 0..100 {
        queue.push(pull(1, n));
    }
    queue.push(fence());
    queue.await_drained(PeerId(1));
    queue.forget(PeerId(1), false);
    assert_eq!((queue.cost(), queue.has(PeerId(1))), (0, false));
    assert_eq!(serve(&mut queue, 1), Some(0));
    assert!(queue.is_empty());
}
