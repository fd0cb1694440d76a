//! VNIs get other tables.

use super::world::{DEVICE, OURS, World, key, route, underlay};
use crate::netlink::model::{Hop, Request, Via};

const A: &str = "10.0.0.0/24";
const B: &str = "10.0.1.0/24";

#[test]
fn a_vni_moves_to_another_table_and_others_are_not_touched() {
    for objects in [true, false] {
        let mut world = World::new(objects);
        world.add(&[route(100, A, 1), route(200, A, 1), route(200, B, 2)]);
        world.complete(100);
        world.complete(200);
        world.kernel.log.clear();
        world.move_to(200, Some(1300));
        world.check(true);
        let is_other = |request: &Request| match request {
            Request::SetRoute { key, .. } | Request::DeleteRoute { key, .. } => key.table == 1100,
            _ => false,
        };
        assert!(!world.kernel.log.iter().any(is_other), "{:?}", world.kernel.log);
        world.move_to(200, None);
        assert_eq!(world.installed(), 1);
        world.move_to(200, Some(1200));
        world.check(true);
    }
}

#[test]
fn what_an_earlier_run_left_in_a_table_goes_when_no_vni_has_it_any_more() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(200, A, 2), route(200, B, 2)]);
    world.restart();
    world.add(&[route(100, A, 1)]);
    world.complete(100);
    assert_eq!(world.installed(), 3, "table 1200 waits for its VNI");
    world.move_to(200, None);
    world.check(true);
}

#[test]
fn what_is_found_in_a_new_table_stays_until_its_vni_is_complete() {
    let mut world = World::new(true);
    world.add(&[route(200, A, 2), route(200, B, 2)]);
    // A route that an earlier run with other tables could have left.
    let hop = Hop { underlay: underlay(2), encap_id: 200, device: DEVICE };
    for destination in [A, B] {
        let there = (OURS, Via::Hops([hop].into_iter().collect()));
        world.kernel.routes.insert(key(1300, destination), there);
    }
    world.move_to(200, Some(1300));
    assert_eq!(world.installed(), 2);
    world.remove(&[route(200, B, 2)]);
    world.complete(100);
    world.complete(200);
    world.check(true);
}

#[test]
fn a_client_that_is_not_told_to_give_a_vni_back_leaves_nothing_behind() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(200, A, 2)]);
    world.tables.insert(crate::wire::Vni(200), 1300);
    world.fib.set_tables(&world.tables, world.now);
    world.announced.remove(&route(200, A, 2));
    world.flush();
    world.check(false);
    assert_eq!(world.installed(), 1);
}
