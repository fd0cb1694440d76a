//! Servers that make the leaf work, or forget, as much as they can.

use super::*;
use crate::io::thread_time;

/// Routes to `count` addresses in VNI 1.
fn wide(count: u32) -> Vec<Route> {
    let destination = |n: u32| Destination::new((0x0a00_0000 + n).to_be_bytes().into(), 32);
    (0..count).map(|n| Route { destination: destination(n).unwrap(), ..route(1, 1, 1) }).collect()
}

fn large() -> Leaf {
    let mut leaf = Leaf::new(CoreConfig {
        stale_time: STALE,
        routes_per_peer: 4_000_000,
        limits: RouteLimits::default(),
    });
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    leaf
}

#[test]
fn many_next_hops_of_one_destination_cost_no_more_than_many_destinations() {
    let mut leaf = large();
    let hop = |n: u32| NextHop::standard(std::net::Ipv4Addr::from(n).into());
    let all: Vec<_> = (0..50_000).map(|n| Route { next_hop: hop(n), ..route(1, 1, 1) }).collect();
    let began = thread_time();
    add(&mut leaf, at(0), A, &all);
    // A comparison of each route with each other one takes ten seconds and more.
    let took = thread_time() - began;
    assert!(took < Duration::from_secs(5), "{took:?} of processor time");
    remove(&mut leaf, at(0), A, &all[1..]);
    Plane::default().expect(&mut leaf, &all[..1]);
}

#[test]
fn what_a_server_says_again_and_again_does_not_walk_all_routes() {
    let mut leaf = large();
    connect(&mut leaf, at(0), B);
    add(&mut leaf, at(0), A, &wide(100_000));
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.take_sync();
    let began = thread_time();
    for _ in 0..10_000 {
        leaf.end_of_table(at(0), B, Vni(1));
        leaf.ended(at(0), ServerSlot(7)); // an attempt at a third one failed
    }
    let took = thread_time() - began;
    assert!(took < Duration::from_secs(5), "{took:?} of processor time");
    assert_eq!(leaf.take_sync(), [(B, Vni(1), true)], "it is said once");
}

#[test]
fn routes_outlive_their_servers_also_where_the_vni_was_never_complete() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.subscribe(at(0), Vni(1));
    for slot in [A, B] {
        connect(&mut leaf, at(100), slot);
    }
    add(&mut leaf, at(100), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(100), A, Vni(1));
    // B never sends END_OF_TABLE.
    for slot in [A, B] {
        leaf.ended(at(119), slot);
    }
    leaf.tick(at(120));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    assert_eq!(plane.complete, [Vni(1)], "nothing more is waited for");
    leaf.tick(at(119 + 120));
    plane.expect(&mut leaf, &[]);
}

#[test]
fn a_server_that_comes_back_empty_empties_nothing_where_the_vni_was_never_complete() {
    let (mut leaf, mut plane) = (leaf(), Plane::default());
    leaf.added(B); // its first attempt takes a while
    leaf.subscribe(at(0), Vni(1));
    connect(&mut leaf, at(0), A);
    add(&mut leaf, at(0), A, &[route(1, 1, 1)]);
    leaf.end_of_table(at(0), A, Vni(1));
    leaf.ended(at(5), A);
    leaf.ended(at(10), B);
    connect(&mut leaf, at(11), A);
    leaf.end_of_table(at(11), A, Vni(1));
    plane.expect(&mut leaf, &[route(1, 1, 1)]);
    leaf.tick(at(5 + 120));
    plane.expect(&mut leaf, &[]);
}
