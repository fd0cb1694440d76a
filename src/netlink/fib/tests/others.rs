//! What others do, and what the device can take.

use std::time::Duration;

use super::model::Model;
use super::world::{DEVICE, OURS, World, key, route, underlay};
use crate::dataplane::Retry;
use crate::netlink::model::{Hop, KernelEvent, Object, ObjectBody, Request, Via};
use crate::wire::IpVersion;

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

#[test]
fn whoever_keeps_changing_a_route_is_not_fought_without_end() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1)]);
    world.kernel.log.clear();
    for _ in 0..1000 {
        world.kernel.set_by_hand(key(1100, A), OURS, Via::Foreign);
        world.hear();
        world.pass(Duration::from_millis(10));
    }
    let of_routes = |request: &&Request| matches!(request, Request::SetRoute { .. });
    let asked = world.kernel.log.iter().filter(of_routes).count();
    assert!((3..8).contains(&asked), "{asked} requests in ten seconds");
    world.pass(Duration::from_secs(60));
    world.check(true);
}

#[test]
fn ipv4_routes_need_no_ipv6_on_the_device() {
    for objects in [true, false] {
        let kernel = Model { device: Some((DEVICE, true)), no_ipv6: true, ..Model::default() };
        let mut world = World::on(kernel, objects);
        let routes = [route(100, A, 1), route(100, A, 2), route(100, "10.1.0.0/16", 1)];
        assert_eq!(world.add(&routes), vec![Ok(()); 3]);
        let results = world.add(&[route(100, B, 1), route(100, B, 2)]);
        let error = results[0].as_ref().unwrap_err();
        let (words, retry) = (&error.reason, error.retry);
        assert!(words.contains("sysctl net.ipv6.conf.tun.disable_ipv6=0"), "{words}");
        assert_eq!((retry, world.installed()), (Retry::Own, 2));

        // IPv6 that comes to the device late is used at once, and not at the next try.
        world.pass(Duration::from_secs(5));
        world.kernel.set_ipv6(true);
        world.pass(Duration::ZERO);
        world.check(true);
        assert_eq!((world.installed(), world.fib.summary().refused), (3, 0));

        // A device that loses IPv6 keeps its routes, and takes more of IPv4.
        world.kernel.log.clear();
        world.kernel.set_ipv6(false);
        world.pass(Duration::from_secs(2));
        assert!(world.kernel.log.is_empty());
        assert_eq!(world.add(&[route(200, A, 3)]), [Ok(())]);
        world.check(false);
    }
}

#[test]
fn what_was_refused_is_tried_again_when_the_device_changes() {
    let mut world = World::new(true);
    world.kernel.refuse = (0, 1);
    assert!(world.add(&[route(100, A, 1)])[0].is_err());
    world.pass(Duration::ZERO);
    assert_eq!(world.installed(), 0);
    world.kernel.set_mtu(7);
    world.pass(Duration::ZERO);
    assert_eq!(world.installed(), 1);
}

#[test]
fn what_is_merely_deleted_is_put_back_for_ever() {
    for objects in [true, false] {
        let mut world = World::new(objects);
        world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 1), route(100, B, 2)]);
        let mut lines = Vec::new();
        for round in 0..50 {
            let groups = world.kernel.dump_objects().into_iter();
            let groups = groups.filter(|object| matches!(object.body, ObjectBody::Group(_)));
            groups.for_each(|group| world.kernel.delete_object(group.id));
            if !objects {
                world.kernel.delete_route(key(1100, A));
                world.kernel.delete_route(key(1100, B));
            }
            assert_eq!(world.installed(), 0);
            world.hear();
            lines.extend(world.fib.lines(world.now));
            world.check(true);
            // At most once a second, when they are deleted at once each time.
            let times = if round < 25 { 8000 } else { 200 };
            world.pass(Duration::from_millis(times));
            lines.extend(world.fib.lines(world.now));
            world.pass(Duration::from_millis(1000_u64.saturating_sub(times)));
        }
        let hints = lines.iter().filter(|(_, line)| line.contains("ManageForeignNextHops=no"));
        assert_eq!(hints.count(), 1, "{lines:?}");
    }
}

#[test]
fn what_is_deleted_at_once_is_put_back_once_a_second() {
    let mut world = World::new(true);
    world.add(&[route(100, B, 1)]);
    world.kernel.log.clear();
    for _ in 0..100 {
        world.kernel.delete_route(key(1100, B));
        world.pass(Duration::from_millis(100));
    }
    let sets = world.kernel.log.iter().filter(|it| matches!(it, Request::SetRoute { .. }));
    let sets = sets.count();
    assert!((9..=12).contains(&sets), "{sets} in ten seconds");
}

#[test]
fn an_old_deletion_of_an_id_in_use_is_not_believed() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 3)]);
    world.kernel.log.clear();
    for id in world.kernel.objects.keys() {
        world.kernel.events.push(KernelEvent::ObjectDeleted { id: *id });
    }
    world.pass(Duration::from_secs(2));
    world.check(true);
    assert_eq!((world.kernel.log.len(), world.fib.summary().counts.repairs), (0, 0));
}

/// An object as another leaf of the same protocol makes it.
fn another_leafs(world: &mut World, id: u32, body: ObjectBody) {
    world.kernel.objects.insert(id, Object { id, protocol: OURS, body });
    world.kernel.events.push(KernelEvent::ObjectSet { id, protocol: OURS });
}

fn hop(number: u16) -> ObjectBody {
    let hop = Hop { underlay: underlay(number), encap_id: 100, device: DEVICE };
    ObjectBody::Hop(hop, IpVersion::V6)
}

#[test]
fn what_another_leaf_has_left_goes() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1)]);
    for (id, number) in [(1500, 1), (1501, 2), (1502, 3), (1503, 4), (1504, 5)] {
        another_leafs(&mut world, id, hop(number));
    }
    another_leafs(&mut world, 1600, ObjectBody::Group([1501, 1502].into_iter().collect()));
    another_leafs(&mut world, 1601, ObjectBody::Group([1502, 1503].into_iter().collect()));
    // A route of a foreign table.
    let elsewhere = key(5000, "10.9.0.0/16");
    world.kernel.routes.insert(elsewhere, (OURS, Via::Object(1601)));
    world.pass(Duration::from_secs(59));
    assert_eq!(world.kernel.objects.len(), 8);
    world.pass(Duration::from_secs(90));
    let left: Vec<_> = world.kernel.objects.keys().copied().filter(|id| *id >= 1500).collect();
    assert_eq!(left, [1502, 1503, 1601]);
    world.kernel.routes.remove(&elsewhere);
    world.pass(Duration::from_secs(130));
    world.check(true);
}

#[test]
fn a_cleanup_spares_what_another_leaf_uses_by_now() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 1), route(200, A, 3)]);
    let group = world.kernel.routes[&key(1100, A)].1.clone();
    world.fib.clear();
    world.announced.clear();
    world.flush();
    assert_eq!((world.installed(), world.kernel.objects.len()), (0, 4));
    world.kernel.routes.insert(key(1100, A), (OURS, group));
    world.fib.spare(world.kernel.used(), world.now);
    world.flush();
    assert_eq!(world.kernel.objects.len(), 3, "a group and its members");
    assert_eq!(world.kernel.resolve(&world.kernel.routes[&key(1100, A)].1).len(), 2);
}
