//! Limits on routes: what is there stays, the rest waits.

use super::*;
use crate::ids::Level;

const V: Vni = Vni(1);

fn limited(all: usize, vni: usize) -> Leaf {
    let limits = RouteLimits { all, vni };
    let mut leaf = Leaf::new(CoreConfig { stale_time: STALE, routes_per_peer: 1000, limits });
    leaf.subscribe(at(0), V);
    leaf.subscribe(at(0), Vni(2));
    leaf
}

fn some(vni: u32, nets: std::ops::Range<u8>) -> Vec<Route> {
    nets.map(|net| route(vni, net, 1)).collect()
}

/// The number of a VNI's routes that wait or are only counted.
fn refused(leaf: &Leaf, vni: Vni) -> usize {
    let all = leaf.vni_counts(None, 10);
    all.iter().find(|counts| counts.vni == vni).unwrap().refused
}

#[test]
fn what_is_there_stays_and_the_rest_waits_for_room() {
    let (mut leaf, mut plane) = (limited(0, 10), Plane::default());
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &some(1, 0..10));
    add(&mut leaf, at(0), A, &some(1, 10..15));
    add(&mut leaf, at(0), A, &some(2, 0..10));
    leaf.end_of_table(at(0), A, V);
    let mut expected = [some(1, 0..10), some(2, 0..10)].concat();
    plane.expect(&mut leaf, &expected);
    assert_eq!((refused(&leaf, V), refused(&leaf, Vni(2))), (5, 0));
    assert_eq!(plane.complete, [V], "it is as complete as it can be");
    leaf.tick(at(1));
    // Waiting routes are withdrawn and announced as any other routes are.
    remove(&mut leaf, at(1), A, &some(1, 12..15));
    assert_eq!(refused(&leaf, V), 2);
    // Waiting routes get the room, but not at once.
    remove(&mut leaf, at(2), A, &some(1, 0..3));
    expected.drain(..3);
    leaf.tick(at(2));
    plane.expect(&mut leaf, &expected);
    assert!(leaf.deadline().is_some_and(|due| due <= at(3)), "{:?}", leaf.deadline());
    leaf.tick(at(3));
    expected.extend(some(1, 10..12));
    plane.expect(&mut leaf, &expected);
    assert_eq!(refused(&leaf, V), 0);
}

#[test]
fn a_change_keeps_its_place_in_any_order() {
    let (mut leaf, mut plane) = (limited(0, 3), Plane::default());
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &some(1, 0..5));
    let [old, new] = [route(1, 0, 1), route(1, 0, 2)];
    // The new next hop first,
    add(&mut leaf, at(5), A, &[new]);
    remove(&mut leaf, at(5), A, &[old]);
    plane.expect(&mut leaf, &[new, route(1, 1, 1), route(1, 2, 1)]);
    // and last.
    remove(&mut leaf, at(6), A, &[new]);
    add(&mut leaf, at(6), A, &[old]);
    leaf.tick(at(6));
    plane.expect(&mut leaf, &some(1, 0..3));
    assert_eq!(refused(&leaf, V), 2);
}

#[test]
fn the_limit_of_all_vnis_holds_and_room_is_anybodys() {
    let (mut leaf, mut plane) = (limited(10, 0), Plane::default());
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &some(1, 0..7));
    add(&mut leaf, at(0), A, &some(2, 0..7));
    plane.expect(&mut leaf, &[some(1, 0..7), some(2, 0..3)].concat());
    leaf.unsubscribe(V);
    leaf.tick(at(1));
    plane.expect(&mut leaf, &some(2, 0..7));
    assert_eq!(refused(&leaf, Vni(2)), 0);
}

#[test]
fn who_waits_goes_with_its_server_and_is_not_stale() {
    let (mut leaf, mut plane) = (limited(0, 3), Plane::default());
    for server in [A, B] {
        connect(&mut leaf, at(0), server);
    }
    add(&mut leaf, at(0), A, &some(1, 0..5));
    add(&mut leaf, at(0), B, &some(1, 0..4));
    leaf.ended(at(1), A);
    assert_eq!(refused(&leaf, V), 1);
    leaf.ended(at(2), B);
    assert_eq!(refused(&leaf, V), 0);
    plane.expect(&mut leaf, &some(1, 0..3));
    // A new next hop takes the place of a stale one although there is no room.
    connect(&mut leaf, at(3), A);
    leaf.end_of_table(at(3), A, V);
    add(&mut leaf, at(3), A, &[route(1, 0, 2), route(1, 9, 1)]);
    let plane = plane.update(&mut leaf);
    assert!(plane.routes.contains(&route(1, 0, 2)) && !plane.routes.contains(&route(1, 0, 1)));
    assert_eq!(refused(&leaf, V), 1);
}

#[test]
fn as_many_again_are_remembered_and_the_rest_is_counted() {
    let (mut leaf, mut plane) = (limited(10, 0), Plane::default());
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &some(1, 0..50));
    assert_eq!(refused(&leaf, V), 40);
    remove(&mut leaf, at(1), A, &some(1, 0..50));
    plane.expect(&mut leaf, &[]);
    assert_eq!(refused(&leaf, V), 0);
    // No waiting route is left behind that would keep others out.
    add(&mut leaf, at(2), A, &some(1, 50..60));
    plane.expect(&mut leaf, &some(1, 50..60));
}

#[test]
fn a_limit_is_told_of_when_it_is_near_and_when_it_is_reached() {
    let mut leaf = limited(0, 10);
    connect(&mut leaf, at(0), A);
    let said = |leaf: &mut Leaf| {
        let near = leaf.take_near_limits().into_iter();
        near.map(|near| (near.vni, near.level, near.routes)).collect::<Vec<_>>()
    };
    add(&mut leaf, at(0), A, &some(1, 0..7));
    assert_eq!(said(&mut leaf), []);
    add(&mut leaf, at(0), A, &some(1, 7..10));
    assert_eq!(said(&mut leaf), [(Some(V), Level::Near, 8)]);
    add(&mut leaf, at(0), A, &some(1, 10..20));
    assert_eq!(said(&mut leaf), [(Some(V), Level::Reached, 10)]);
    add(&mut leaf, at(0), A, &some(1, 20..30));
    assert_eq!(said(&mut leaf), []);
}

#[test]
fn other_limits_take_nothing_away_and_let_in_what_waits() {
    let (mut leaf, mut plane) = (limited(0, 2), Plane::default());
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &some(1, 0..4));
    plane.expect(&mut leaf, &some(1, 0..2));
    leaf.set_limits(at(1), RouteLimits { all: 0, vni: 3 });
    leaf.tick(at(2));
    plane.expect(&mut leaf, &some(1, 0..3));
    leaf.set_limits(at(2), RouteLimits { all: 1, vni: 1 });
    leaf.tick(at(4));
    plane.expect(&mut leaf, &some(1, 0..3));
    add(&mut leaf, at(4), A, &some(2, 0..1));
    assert_eq!((refused(&leaf, V), refused(&leaf, Vni(2))), (1, 1));
}
