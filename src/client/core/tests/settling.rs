//! A reader that cannot have two next hops of one destination, and what it waits for.

use super::*;
use crate::client::core::WatchId;

const WATCH: WatchId = WatchId(1);

/// A leaf whose only server has gone, with one stale route that its watch has taken.
fn lonely() -> Leaf {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    leaf.subscribe(at(0), Vni(2));
    connect(&mut leaf, at(0), A);
    [1, 2].into_iter().for_each(|vni| leaf.end_of_table(at(0), A, Vni(vni)));
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.watch(WATCH, None);
    assert_eq!(leaf.feed(WATCH).unwrap().take(10).len(), 1);
    leaf.ended(at(10), A);
    leaf
}

fn tick(leaf: &mut Leaf, now: Moment) -> bool {
    leaf.tick(now);
    leaf.is_settling()
}

#[test]
fn it_is_settling_from_a_session_on_until_stale_routes_are_known_to_be_there_or_not() {
    let mut leaf = lonely();
    assert!(!tick(&mut leaf, at(10)));
    connect(&mut leaf, at(20), B);
    assert!(tick(&mut leaf, at(20)));
    add(&mut leaf, at(20), B, &[route(1, 1, 2)]);
    leaf.end_of_table(at(20), B, Vni(2));
    assert!(tick(&mut leaf, at(21)));
    leaf.end_of_table(at(21), B, Vni(1));
    assert!(!tick(&mut leaf, at(21)));
    let changes = leaf.feed(WATCH).unwrap().take(10);
    assert_eq!(
        changes,
        [route(1, 1, 1).update(Action::Remove), route(1, 1, 2).update(Action::Add)]
    );
}

#[test]
fn it_is_settling_for_five_seconds_at_most() {
    let mut leaf = lonely();
    connect(&mut leaf, at(20), B);
    assert!(tick(&mut leaf, at(24)));
    assert!(leaf.deadline().is_some_and(|deadline| deadline <= at(25)));
    assert!(!tick(&mut leaf, at(25)));
    assert!(leaf.deadline().is_some_and(|deadline| deadline > at(25)), "nothing more is due");
}

#[test]
fn it_is_settling_no_more_when_the_server_has_gone() {
    let mut leaf = lonely();
    connect(&mut leaf, at(20), B);
    leaf.ended(at(21), B);
    assert!(!tick(&mut leaf, at(21)));
}

#[test]
fn without_stale_routes_nobody_waits() {
    let mut leaf = leaf();
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    assert!(!tick(&mut leaf, at(0)));
    leaf.end_of_table(at(0), A, Vni(1));
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    connect(&mut leaf, at(1), B);
    assert!(!tick(&mut leaf, at(1)));
}
