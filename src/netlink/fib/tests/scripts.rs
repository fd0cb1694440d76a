//! One behaviour each.

use std::net::IpAddr;
use std::time::Duration;

use super::model::Model;
use super::world::{DEVICE, OURS, STATIC, World, config, hasher, key, route, underlay};
use crate::dataplane::{Retry, Route, RouteError};
use crate::netlink::fib::config::{Excluded, Meaning};
use crate::netlink::fib::objects::Objects;
use crate::netlink::fib::plan::{HOPS, ROUND};
use crate::netlink::fib::routes::WANTED_MAX;
use crate::netlink::model::{Hop, Object, ObjectBody, Request, Via};
use crate::wire::{Action, IpVersion, NextHop, NextHopType};

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

fn reason(result: &Result<(), RouteError>) -> (&str, Retry) {
    let error = result.as_ref().unwrap_err();
    (&error.reason, error.retry)
}

#[test]
fn a_destination_becomes_one_route_by_a_shared_object() {
    let mut world = World::new(true);
    assert_eq!(world.add(&[route(100, A, 1), route(100, B, 1)]), [Ok(()), Ok(())]);
    assert_eq!(world.kernel.objects.len(), 1);
    world.check(true);
    world.remove(&[route(100, A, 1)]);
    assert_eq!(world.kernel.objects.len(), 1);
    world.remove(&[route(100, B, 1)]);
    assert!(world.kernel.objects.is_empty() && world.kernel.routes.is_empty());
}

#[test]
fn several_hops_are_a_group_whose_members_are_shared() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 2), route(100, B, 1)]);
    assert_eq!(world.kernel.objects.len(), 3, "two members and one group");
    world.check(true);
    world.add(&[route(100, A, 3)]);
    assert_eq!(world.kernel.objects.len(), 5, "another member and another group");
    world.check(true);
}

#[test]
fn inline_hops_stand_in_the_route() {
    let mut world = World::new(false);
    world.add(&[route(100, A, 2), route(100, A, 1)]);
    assert!(world.kernel.objects.is_empty());
    world.check(true);
}

#[test]
fn destinations_that_differ_in_host_bits_are_one_route() {
    let mut world = World::new(true);
    world.add(&[route(100, "10.0.0.1/24", 1), route(100, "10.0.0.2/24", 1)]);
    assert_eq!(world.installed(), 1);
    world.remove(&[route(100, "10.0.0.1/24", 1)]);
    world.check(true);
    world.remove(&[route(100, "10.0.0.2/24", 1)]);
    assert_eq!(world.installed(), 0);
}

#[test]
fn what_is_not_for_the_kernel_is_left_out() {
    let mut world = World::new(true);
    let of_type = |kind| {
        let mut route = route(100, A, 1);
        route.next_hop = NextHop::new(IpAddr::V6(underlay(1)), 0, kind, 1, 2).unwrap();
        route
    };
    let routes =
        [of_type(NextHopType::Nat), of_type(NextHopType::LoadBalancerTarget), route(999, A, 1)];
    assert_eq!(world.add(&routes), vec![Ok(()); 3]);
    assert_eq!(world.remove(&routes), vec![Ok(()); 3]);
    assert!(world.kernel.log.is_empty());

    let mut config = config(true);
    config.ipv4_only = true;
    let v6 = route(100, B, 1).update(Action::Add);
    assert_eq!(config.read(&v6), Meaning::Excluded(Excluded::Ipv6));
}

#[test]
fn nothing_is_asked_when_nothing_changed_over_a_restart() {
    for objects in [true, false] {
        let mut world = World::new(objects);
        let routes = [route(100, A, 1), route(100, A, 2), route(200, B, 1), route(200, "::/0", 3)];
        world.add(&routes);
        world.restart();
        // One hop at a time: the other one stays meanwhile.
        for route in routes {
            assert_eq!(world.add(&[route]), [Ok(())]);
        }
        world.complete(100);
        world.complete(200);
        world.pass(Duration::from_secs(200));
        assert_eq!(world.kernel.log, []);
        world.check(true);
    }
}

#[test]
fn what_nobody_announces_after_a_restart_goes_when_its_vni_is_complete() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 3), route(200, A, 4)]);
    world.restart();
    world.add(&[route(100, A, 1)]);
    assert_eq!(world.installed(), 3);
    world.complete(100);
    assert_eq!(world.installed(), 2, "table 1200 waits");
    assert_eq!(world.kernel.objects.len(), 5, "objects wait for all");
    world.complete(200);
    world.check(true);
    assert_eq!(world.kernel.objects.len(), 1);
}

#[test]
fn a_withdrawal_after_a_restart_counts_at_once() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, A, 2)]);
    world.restart();
    world.add(&[route(100, A, 1), route(100, A, 2)]);
    world.remove(&[route(100, A, 2)]);
    let (_, via) = &world.kernel.routes[&key(1100, A)];
    assert_eq!(world.kernel.resolve(via).len(), 1);
}

#[test]
fn a_foreign_route_is_never_touched_and_ours_comes_when_it_goes() {
    for reported in [true, false] {
        let mut world = World::new(true);
        world.kernel.routes.insert(key(1100, A), (STATIC, Via::Foreign));
        let results = world.add(&[route(100, A, 1)]);
        let (words, retry) = reason(&results[0]);
        assert!(words.contains("protocol 4 (static)") && retry == Retry::Own, "{words}");
        assert_eq!(world.fib.summary().conflicts, 1);
        let lines = world.fib.lines(world.now);
        assert!(lines.iter().any(|(_, line)| line.contains("10.0.0.0/24")), "{lines:?}");
        world.pass(Duration::from_secs(100));
        assert_eq!(world.kernel.routes[&key(1100, A)].0, STATIC);
        let lines = world.fib.lines(world.now);
        assert!(lines.is_empty(), "said once: {lines:?}");

        world.kernel.delete_route(key(1100, A));
        if reported {
            world.hear();
        } else {
            world.kernel.events.clear();
            world.pass(Duration::from_secs(61));
        }
        world.check(true);
        assert_eq!(world.fib.summary().conflicts, 0);
    }
}

#[test]
fn a_foreign_route_that_replaces_ours_is_noticed_and_left() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1)]);
    world.kernel.set_by_hand(key(1100, A), STATIC, Via::Foreign);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.fib.summary().conflicts, 1);
    let results = world.add(&[route(100, A, 2)]);
    assert!(reason(&results[0]).0.contains("static"));
    assert_eq!(world.kernel.routes[&key(1100, A)].0, STATIC);
    world.remove(&[route(100, A, 1), route(100, A, 2)]);
    assert_eq!(world.kernel.routes[&key(1100, A)].0, STATIC);
    assert!(world.kernel.objects.is_empty());
}

#[test]
fn a_route_that_is_deleted_by_hand_comes_back() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1)]);
    world.kernel.delete_route(key(1100, A));
    world.kernel.delete_route(key(1100, B));
    world.hear();
    world.check(true);
    assert_eq!(world.fib.summary().counts.repairs, 2);
}

#[test]
fn an_object_that_is_deleted_by_hand_comes_back_with_its_routes() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1), route(200, A, 1), route(200, A, 2)]);
    for _ in 0..3 {
        let id = *world.kernel.objects.keys().next().unwrap();
        world.kernel.delete_object(id);
        world.hear();
        world.check(true);
        world.pass(Duration::from_secs(1));
    }
}

#[test]
fn a_device_that_went_down_gets_everything_again() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1), route(100, B, 2)]);
    world.kernel.set_device(DEVICE, false);
    world.hear();
    let before = world.kernel.log.len();
    let results = world.add(&[route(200, A, 1)]);
    assert_eq!(reason(&results[0]), ("the tunnel device tun is down", Retry::Own));
    world.pass(Duration::from_secs(300));
    assert_eq!(world.kernel.log.len(), before, "the kernel is left alone");
    assert_eq!(world.fib.summary().installed, 0);
    world.kernel.set_device(DEVICE, true);
    world.hear();
    world.check(true);
}

#[test]
fn a_device_that_is_made_anew_gets_everything_again() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1), route(100, B, 2)]);
    world.kernel.set_device(0, false);
    world.hear();
    let results = world.add(&[route(200, A, 1)]);
    assert_eq!(reason(&results[0]), ("there is no device tun", Retry::Own));
    world.kernel.set_device(DEVICE + 5, true);
    world.hear();
    world.check(true);
}

#[test]
fn lost_events_are_made_up_for() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1)]);
    world.kernel.delete_route(key(1100, A));
    world.kernel.set_by_hand(key(1100, B), OURS, Via::Foreign);
    world.overrun();
    world.check(true);
}

#[test]
fn what_events_did_not_tell_is_found_in_a_minute() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1)]);
    world.kernel.delete_route(key(1100, A));
    world.kernel.events.clear();
    world.pass(Duration::from_secs(61));
    world.check(true);
}

#[test]
fn a_stray_route_goes_at_the_second_look() {
    let mut world = World::new(true);
    world.complete(100);
    world.complete(200);
    world.kernel.routes.insert(key(1100, B), (OURS, Via::Foreign));
    world.pass(Duration::from_secs(61));
    assert_eq!(world.installed(), 1);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.installed(), 0);
}

#[test]
fn a_refused_route_is_tried_again_ever_more_seldom() {
    let mut world = World::new(true);
    world.kernel.refuse = (1, usize::MAX);
    let results = world.add(&[route(100, A, 1)]);
    assert_eq!(reason(&results[0]), ("the kernel says: Cannot allocate memory", Retry::Own));
    assert_eq!(world.fib.summary().refused, 1);
    world.pass(Duration::from_secs(600));
    let tries = world.kernel.log.len();
    assert!((15..60).contains(&tries), "{tries} requests in ten minutes");
    world.kernel.refuse = (0, 0);
    world.pass(Duration::from_secs(61));
    world.check(true);
    assert_eq!(world.fib.summary().refused, 0);
}

#[test]
fn a_hundred_thousand_refusals_are_a_few_lines() {
    let mut world = World::new(true);
    world.kernel.refuse = (1, usize::MAX);
    let routes: Vec<_> = (0..2 * ROUND)
        .map(|n| route(100, &format!("10.{}.{}.0/24", n / 256, n % 256), 1))
        .collect();
    let results = world.fib_only(&routes);
    assert!(results.iter().all(Result::is_err));
    assert!(world.fib.lines(world.now).len() < 10);
}

#[test]
fn an_id_that_others_use_is_passed_over() {
    let mut world = World::new(true);
    for id in 1000..1003 {
        let body = ObjectBody::Foreign;
        world.kernel.objects.insert(id, Object { id, protocol: STATIC, body });
    }
    let results = world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 1)]);
    assert_eq!(results, vec![Ok(()); 3]);
    world.check(true);
    assert!((1000..1003).all(|id| world.kernel.objects[&id].protocol == STATIC));
}

#[test]
fn changes_of_one_route_in_a_batch_are_one_request() {
    let mut world = World::new(true);
    world.apply(&[
        (Action::Add, route(100, A, 1)),
        (Action::Add, route(100, A, 2)),
        (Action::Remove, route(100, A, 1)),
    ]);
    let of_routes = |request: &&Request| matches!(request, Request::SetRoute { .. });
    assert_eq!(world.kernel.log.iter().filter(of_routes).count(), 1);
    world.check(true);
}

#[test]
fn a_route_has_at_most_so_many_hops() {
    let mut world = World::new(true);
    let routes: Vec<_> = (0..300).map(|n| route(100, A, n)).collect();
    let results = world.add(&routes);
    assert!(results.iter().all(Result::is_ok));
    let (_, via) = &world.kernel.routes[&key(1100, A)];
    let there = world.kernel.resolve(via);
    assert_eq!(there.len(), HOPS);
    assert_eq!(there, world.wanted()[&key(1100, A)][..HOPS]);
    let lines = world.fib.lines(world.now);
    assert_eq!(lines.iter().filter(|(_, line)| line.contains("300 next hops")).count(), 1);
}

#[test]
fn the_log_ends_with_what_the_device_is_now() {
    let mut world = World::new(true);
    let last = |world: &mut World| {
        let lines = world.fib.lines(world.now);
        lines.iter().map(|(_, line)| line.clone()).find(|line| line.contains("tun"))
    };
    assert_eq!(last(&mut world).unwrap(), "the tunnel device tun is up");
    for _ in 0..3 {
        for up in [false, true] {
            world.kernel.set_device(DEVICE, up);
            world.hear();
            assert_eq!(last(&mut world), None, "not that often");
        }
    }
    world.now = world.now + Duration::from_secs(5);
    let lines = world.fib.lines(world.now);
    assert_eq!(lines[0].1, "the tunnel device tun is up");
    assert_eq!(lines[1].1, "after 5 other changes");
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn an_object_that_is_held_late_is_made_all_the_same() {
    let mut objects = Objects::new(OURS, 1000..2000, &hasher());
    let hop = |n| Hop { underlay: underlay(n), encap_id: 100, device: DEVICE };
    let group = objects.need(&[hop(1), hop(2)], IpVersion::V6).unwrap();
    let (mut requests, mut about) = (Vec::new(), Vec::new());
    objects.additions(&mut requests, &mut about);
    let again = objects.need(&[hop(1), hop(2)], IpVersion::V6).unwrap();
    objects.hold(again);
    about.iter().for_each(|&id| objects.added(id));
    objects.additions(&mut requests, &mut about);
    assert!(about.contains(&group), "{about:?}");
}

#[test]
fn next_hops_that_lead_the_same_way_are_one() {
    // On a device that carries no VNI, different target VNIs have the same hop.
    let kernel = Model { device: Some((DEVICE, true)), ip6tnl: true, ..Model::default() };
    let mut world = World::on(kernel, true);
    let plain = route(100, A, 1);
    let other = NextHop::new(plain.next_hop.address(), 7, NextHopType::Standard, 0, 0).unwrap();
    let other = Route { next_hop: other, ..plain };
    assert_eq!(world.add(&[plain, other]), [Ok(()), Ok(())]);
    assert_eq!(world.kernel.objects.len(), 1, "no group");
    world.remove(&[plain]);
    assert_eq!(world.installed(), 1);
    world.remove(&[other]);
    assert_eq!(world.installed(), 0);
}

#[test]
fn what_is_too_much_for_one_destination_is_offered_again() {
    let mut world = World::new(true);
    let all: Vec<_> =
        (0..=u16::try_from(WANTED_MAX).unwrap()).map(|hop| route(100, A, hop)).collect();
    let results = world.add(&all);
    let (last, others) = results.split_last().unwrap();
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(reason(last), ("its destination has 4096 next hops already", Retry::Offer));
    world.remove(&all[..1]);
    assert_eq!(world.add(&[route(100, A, 5000)]), [Ok(())]);
}

#[test]
fn a_route_that_was_too_much_takes_no_hop_of_another_along() {
    let mut world = World::new(true);
    let all: Vec<_> =
        (0..u16::try_from(WANTED_MAX).unwrap()).map(|hop| route(100, A, hop)).collect();
    assert!(world.add(&all).iter().all(Result::is_ok));
    let [first, second] = ["10.0.0.1/24", "10.0.0.2/24"].map(|to| route(100, to, 5000));
    assert_eq!(reason(&world.add(&[second])[0]).1, Retry::Offer);
    world.remove(&all[..1]);
    assert_eq!(world.add(&[first]), [Ok(())]);
    assert_eq!(world.remove(&[second]), [Ok(())]);
    let third = route(100, A, 5001);
    assert_eq!(reason(&world.add(&[third])[0]).1, Retry::Offer, "the hop is there");
}

#[test]
fn what_is_gone_already_needs_no_deleting() {
    let mut world = World::new(true);
    world.add(&[route(100, A, 1), route(100, B, 1)]);
    // No event tells of this.
    world.kernel.routes.clear();
    world.remove(&[route(100, A, 1), route(100, B, 1)]);
    let summary = world.fib.summary();
    assert_eq!((summary.installed, summary.refused, summary.counts.refusals), (0, 0, 0));
    assert!(world.kernel.objects.is_empty());
}
