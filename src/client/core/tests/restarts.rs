//! A leaf that begins anew beside servers of all ages: when it may say that it knows all routes.

use super::*;

/// Says whether the VNI is complete at that moment.
fn is_complete(leaf: &mut Leaf, plane: &mut Plane, seconds: u64) -> bool {
    leaf.tick(at(seconds));
    !plane.update(leaf).complete.is_empty()
}

#[test]
fn a_server_that_is_seconds_old_is_doubted_until_all_announcers_should_be_there() {
    for serving in [0, 5, 34] {
        let (mut leaf, mut plane) = (leaf(), Plane::default());
        leaf.subscribe(at(0), Vni(1));
        connect_to(&mut leaf, at(100), A, Duration::from_secs(serving));
        leaf.end_of_table(at(100), A, Vni(1));
        assert_eq!(leaf.take_sync(), [(A, Vni(1), true)], "it has sent what it has");
        let trusted = 100 + 35 - serving;
        assert!(!is_complete(&mut leaf, &mut plane, trusted - 1));
        assert_eq!(leaf.deadline(), Some(at(trusted)));
        assert!(is_complete(&mut leaf, &mut plane, trusted));
    }
}

#[test]
fn a_server_that_has_served_for_long_is_believed_at_once() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect_to(&mut leaf, at(0), A, Duration::from_secs(35));
    leaf.end_of_table(at(0), A, Vni(1));
    assert!(is_complete(&mut leaf, &mut plane, 0));
}

#[test]
fn a_new_server_in_the_slot_of_a_removed_one_has_not_come_back() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    // The server is removed, and another one gets its slot.
    leaf.ended(at(100), A);
    leaf.added(A);
    connect(&mut leaf, at(101), A);
    add(&mut leaf, at(101), A, &[route(1, 1, 1)]);
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1)]);
    leaf.end_of_table(at(101), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
}

#[test]
fn one_server_that_is_believed_is_enough() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    connect_to(&mut leaf, at(0), A, Duration::ZERO);
    connect_to(&mut leaf, at(0), B, LONG);
    leaf.end_of_table(at(0), A, Vni(1));
    assert!(!is_complete(&mut leaf, &mut plane, 1));
    leaf.end_of_table(at(1), B, Vni(1));
    assert!(is_complete(&mut leaf, &mut plane, 1));
}

#[test]
fn a_session_that_has_lasted_is_proof_for_vnis_that_are_subscribed_to_later() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    connect_to(&mut leaf, at(0), A, Duration::ZERO);
    leaf.subscribe(at(40), Vni(1));
    leaf.take_messages(at(40), A, 10);
    leaf.end_of_table(at(40), A, Vni(1));
    assert!(is_complete(&mut leaf, &mut plane, 40));
}

#[test]
fn a_server_that_pauses_in_the_middle_of_a_table_does_not_complete_it() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    // A server that has had sessions for long is not trusted either: it sends no END_OF_TABLE.
    leaf.established(at(0), A, false, LONG);
    leaf.take_messages(at(0), A, 10);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    assert!(!is_complete(&mut leaf, &mut plane, 2));
    assert_eq!(leaf.take_sync(), [(A, Vni(1), true)]);
    add(&mut leaf, at(30), A, &[route(1, 2, 1)]);
    assert!(!is_complete(&mut leaf, &mut plane, 36));
    assert!(is_complete(&mut leaf, &mut plane, 2 + 35));
    plane.expect(&mut leaf, &[route(1, 1, 1), route(1, 2, 1)]);
}

#[test]
fn no_doubt_lasts_longer_than_the_stale_time() {
    let stale_time = Duration::from_secs(3);
    let (mut leaf, mut plane) = (
        Leaf::new(CoreConfig { stale_time, routes_per_peer: 1000, limits: RouteLimits::default() }),
        Plane::default(),
    );
    leaf.subscribe(at(0), Vni(1));
    connect_to(&mut leaf, at(1), A, Duration::ZERO);
    leaf.end_of_table(at(1), A, Vni(1));
    assert!(!is_complete(&mut leaf, &mut plane, 3));
    assert!(is_complete(&mut leaf, &mut plane, 4));
}
