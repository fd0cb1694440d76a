//! What is wanted, and what servers are told of it.

use super::*;
use crate::client::Intention;

fn next_batch(leaf: &mut Leaf, seconds: u64) -> Vec<String> {
    names(&leaf.take_messages(at(seconds), A, usize::MAX))
}

#[test]
fn a_new_session_is_told_subscriptions_then_announcements() {
    let mut leaf = leaf();
    assert!(leaf.announce(route(1, 1, 1)));
    assert!(!leaf.announce(route(1, 1, 1)));
    assert!(leaf.subscribe(at(0), Vni(2)));
    assert!(!leaf.subscribe(at(0), Vni(2)));
    let all = ["subscribe 2", "add vni 1 10.1.0.0/16 via 192.0.2.1"];
    for session in 0..2 {
        leaf.established(at(0), A, true, LONG);
        assert_eq!(next_batch(&mut leaf, session), all);
        assert_eq!(next_batch(&mut leaf, session), [""; 0]);
        leaf.ended(at(session), A);
        assert_eq!(next_batch(&mut leaf, session), [""; 0]);
    }
}

#[test]
fn what_is_taken_back_before_it_was_sent_is_never_sent() {
    let mut leaf = leaf();
    leaf.established(at(0), A, true, LONG);
    leaf.announce(route(1, 1, 1));
    leaf.subscribe(at(0), Vni(2));
    assert!(leaf.withdraw(route(1, 1, 1)));
    assert!(!leaf.withdraw(route(1, 1, 1)));
    assert!(leaf.unsubscribe(Vni(2)));
    assert!(!leaf.unsubscribe(Vni(2)));
    assert_eq!(next_batch(&mut leaf, 0), [""; 0]);
}

#[test]
fn the_old_next_hop_is_withdrawn_before_the_new_one_is_announced() {
    let mut leaf = leaf();
    leaf.established(at(0), A, true, LONG);
    leaf.announce(route(1, 1, 1));
    next_batch(&mut leaf, 0);
    leaf.announce(route(1, 1, 2));
    leaf.withdraw(route(1, 1, 1));
    let expected =
        ["remove vni 1 10.1.0.0/16 via 192.0.2.1", "add vni 1 10.1.0.0/16 via 192.0.2.2"];
    assert_eq!(next_batch(&mut leaf, 0), expected);
}

#[test]
fn an_unsubscribe_does_not_cost_the_announcements_of_that_vni() {
    let mut leaf = leaf();
    leaf.established(at(0), A, true, LONG);
    leaf.subscribe(at(0), Vni(1));
    leaf.announce(route(1, 1, 1));
    leaf.announce(route(2, 1, 1));
    next_batch(&mut leaf, 0);
    leaf.unsubscribe(Vni(1));
    assert_eq!(next_batch(&mut leaf, 1), ["unsubscribe 1", "add vni 1 10.1.0.0/16 via 192.0.2.1"]);
}

#[test]
fn subscribing_again_waits_until_the_old_stream_has_run_dry() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.unsubscribe(Vni(1));
    leaf.subscribe(at(1), Vni(1));
    plane.expect(&mut leaf, &[]);
    assert_eq!(next_batch(&mut leaf, 1), ["unsubscribe 1"]);
    // An update still on its way from before.
    add(&mut leaf, at(1), A, &[route(1, 2, 1)]);
    plane.expect(&mut leaf, &[]);
    leaf.written(at(1), A);
    let due = leaf.deadline().unwrap();
    assert!(due > at(1) && due < at(2));
    assert_eq!(next_batch(&mut leaf, 2), ["subscribe 1"]);
    add(&mut leaf, at(2), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(2), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
}

#[test]
fn own_destinations_are_kept_from_the_dataplane_but_not_their_load_balancer_targets() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    leaf.announce(route(1, 1, 9));
    add(&mut leaf, at(0), A, &[route(1, 1, 1), target(1, 1, 2), route(1, 2, 1)]);
    plane.expect(&mut leaf, &[target(1, 1, 2), route(1, 2, 1)]);
    assert_eq!(leaf.routes(Vni(1)).len(), 3, "but it is known");
    // The set of announcements can change at any time.
    leaf.announce(route(1, 1, 8));
    leaf.withdraw(route(1, 1, 9));
    plane.expect(&mut leaf, &[target(1, 1, 2), route(1, 2, 1)]);
    leaf.withdraw(route(1, 1, 8));
    plane.expect(&mut leaf, &[route(1, 1, 1), target(1, 1, 2), route(1, 2, 1)]);
    leaf.announce(route(1, 2, 9));
    plane.expect(&mut leaf, &[route(1, 1, 1), target(1, 1, 2)]);
    remove(&mut leaf, at(1), A, &[route(1, 2, 1)]);
    leaf.withdraw(route(1, 2, 9));
    plane.expect(&mut leaf, &[route(1, 1, 1), target(1, 1, 2)]);
}

#[test]
fn another_next_hop_of_an_own_destination_is_nothing_to_the_dataplane() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    leaf.announce(route(1, 1, 8));
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    next_batch(&mut leaf, 0);
    plane.expect(&mut leaf, &[]);
    let change = [Intention::Announce(route(1, 1, 9)), Intention::Withdraw(route(1, 1, 8))];
    leaf.intend(at(1), &change);
    assert!(!leaf.has_for_dataplane());
    let expected =
        ["remove vni 1 10.1.0.0/16 via 192.0.2.8", "add vni 1 10.1.0.0/16 via 192.0.2.9"];
    assert_eq!(next_batch(&mut leaf, 1), expected);
}

#[test]
fn own_destinations_are_kept_from_the_dataplane_whatever_their_host_bits() {
    let within = |prefix: [u8; 4], length, host| {
        let destination = Destination::new(prefix.into(), length).unwrap();
        Route { destination, ..route(1, 1, host) }
    };
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    let host_bits = within([10, 1, 0, 5], 16, 1);
    let others = [within([10, 1, 0, 0], 17, 1), within([10, 2, 0, 5], 16, 1)];
    add(&mut leaf, at(0), A, &[host_bits, others[0], others[1]]);
    plane.expect(&mut leaf, &[host_bits, others[0], others[1]]);
    let own = [within([10, 1, 0, 0], 16, 9), within([10, 1, 255, 255], 16, 9)];
    leaf.announce(own[0]);
    plane.expect(&mut leaf, &others);
    leaf.announce(own[1]);
    leaf.withdraw(own[0]);
    add(&mut leaf, at(1), A, &[within([10, 1, 7, 7], 16, 1)]);
    plane.expect(&mut leaf, &others);
    leaf.withdraw(own[1]);
    let all = [host_bits, within([10, 1, 7, 7], 16, 1), others[0], others[1]];
    plane.expect(&mut leaf, &all);
}

#[test]
fn one_server_that_takes_nothing_does_not_hold_up_the_other() {
    let mut leaf = leaf();
    for slot in [A, B] {
        leaf.established(at(0), slot, true, LONG);
    }
    leaf.announce(route(1, 1, 1));
    assert_eq!(leaf.take_messages(at(0), B, 10).len(), 1);
    leaf.withdraw(route(1, 1, 1));
    assert_eq!(leaf.take_messages(at(0), B, 10).len(), 1);
    assert_eq!(leaf.take_messages(at(0), A, 10).len(), 0);
}

#[test]
fn while_a_server_takes_no_data_nothing_is_due_for_it() {
    let mut leaf = leaf();
    connect(&mut leaf, at(0), A);
    leaf.subscribe(at(0), Vni(1));
    next_batch(&mut leaf, 0);
    leaf.unsubscribe(Vni(1));
    leaf.subscribe(at(1), Vni(1));
    assert_eq!(next_batch(&mut leaf, 1), ["unsubscribe 1"]);
    leaf.tick(at(2));
    let due = leaf.deadline();
    assert!(due.is_none_or(|due| due > at(2)), "{due:?}");
    leaf.written(at(3), A);
    assert!(leaf.deadline().is_some_and(|due| due <= at(3)), "the SUBSCRIBE may go out");
    assert_eq!(next_batch(&mut leaf, 3), ["subscribe 1"]);
}

#[test]
fn a_stream_that_never_runs_dry_is_waited_for_five_seconds() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    leaf.unsubscribe(Vni(1));
    leaf.subscribe(at(0), Vni(1));
    assert_eq!(next_batch(&mut leaf, 0), ["unsubscribe 1"]);
    for tenth in 1..50 {
        let now = at(0) + Duration::from_millis(tenth * 100);
        add(&mut leaf, now, A, &[route(1, 1, 1)]);
        assert_eq!(leaf.take_messages(now, A, 10), []);
    }
    assert_eq!(next_batch(&mut leaf, 5), ["subscribe 1"]);
}

#[test]
fn a_destination_that_changes_all_the_time_does_not_hold_up_others() {
    let mut leaf = leaf();
    leaf.established(at(0), A, true, LONG);
    leaf.announce(route(1, 1, 1));
    leaf.announce(route(1, 2, 1));
    assert_eq!(names(&leaf.take_messages(at(0), A, 1)), ["add vni 1 10.1.0.0/16 via 192.0.2.1"]);
    leaf.withdraw(route(1, 1, 1));
    assert_eq!(names(&leaf.take_messages(at(0), A, 1)), ["add vni 1 10.2.0.0/16 via 192.0.2.1"]);
}

#[test]
fn without_a_dataplane_nothing_is_kept_for_one() {
    let mut leaf = leaf();
    leaf.no_dataplane();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.announce(route(1, 1, 9));
    assert!(!leaf.has_for_dataplane());
    assert_eq!(leaf.routes(Vni(1)), [route(1, 1, 1)]);
}

#[test]
fn a_vni_that_is_withheld_is_taken_back_and_handed_over_whole_with_what_changed_meanwhile() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    leaf.subscribe(at(0), Vni(2));
    connect(&mut leaf, at(0), A);
    let other = route(2, 1, 1);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1), other]);
    leaf.end_of_table(at(0), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1), other]);
    leaf.withhold(Vni(1));
    assert!(leaf.has_of(Vni(1)));
    plane.expect(&mut leaf, &[other]);
    remove(&mut leaf, at(1), A, &[route(1, 1, 1)]);
    add(&mut leaf, at(1), A, &[route(1, 3, 1)]);
    leaf.announce(route(1, 3, 9));
    plane.expect(&mut leaf, &[other]);
    plane.complete.clear();
    leaf.hand_over(Vni(1));
    plane.expect(&mut leaf, &[route(1, 2, 1), other]);
    assert_eq!(plane.complete, [Vni(1)]);
    // A dataplane with no routes of a VNI to give back says so.
    leaf.withhold(Vni(7));
    leaf.hand_over(Vni(7));
    plane.update(&mut leaf);
    assert_eq!(plane.complete, [Vni(1), Vni(7)]);
}
