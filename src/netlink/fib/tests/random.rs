//! Whatever happens in whatever order: in the end the kernel has what is wanted, and on the way
//! nothing that was right was disturbed.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::world::{DEVICE, OURS, STATIC, VNIS, World, key, route};
use crate::dataplane::Route;
use crate::netlink::model::{Object, ObjectBody, Request, RouteKey, Via};
use crate::wire::{Action, NextHop, NextHopType, Vni};

const DESTINATIONS: [&str; 6] =
    ["10.0.0.0/24", "10.0.0.9/24", "10.0.1.0/24", "10.0.2.1/32", "2001:db8:1::/48", "::/0"];

#[derive(Clone, Debug)]
enum Op {
    /// Announces routes that are not announced and withdraws those that are.
    Toggle(Vec<(usize, usize, u16, u32)>),
    Complete(usize),
    Foreign(usize, usize),
    ForeignGoes(usize, usize),
    DeleteRoute(usize, usize),
    BreakRoute(usize, usize),
    Stray(usize, u8),
    DeleteObject(usize),
    TakeId(u32),
    Refuse(usize, usize),
    Hear,
    Overrun,
    Down,
    Up,
    Recreate(u32),
    Ipv6(bool),
    Mtu(u32),
    Pass(u64),
    Restart,
    /// A VNI gets its own table, another one, or none.
    Move(usize, Option<u32>),
}

fn op() -> impl Strategy<Value = Op> {
    let (vni, destination) = (0..VNIS.len(), 0..DESTINATIONS.len());
    let place = || (vni.clone(), destination.clone());
    let toggle =
        (vni.clone(), destination.clone(), 1..5u16, prop_oneof![Just(0), Just(0), Just(9)]);
    prop_oneof![
        12 => vec(toggle, 1..6).prop_map(Op::Toggle),
        1 => vni.clone().prop_map(Op::Complete),
        1 => place().prop_map(|(vni, place)| Op::Foreign(vni, place)),
        1 => place().prop_map(|(vni, place)| Op::ForeignGoes(vni, place)),
        1 => place().prop_map(|(vni, place)| Op::DeleteRoute(vni, place)),
        1 => place().prop_map(|(vni, place)| Op::BreakRoute(vni, place)),
        1 => (vni.clone(), any::<u8>()).prop_map(|(vni, n)| Op::Stray(vni, n)),
        1 => (vni, option::weighted(0.8, 0..3u32)).prop_map(|(vni, more)| Op::Move(vni, more)),
        1 => any::<usize>().prop_map(Op::DeleteObject),
        1 => (1000..1020u32).prop_map(Op::TakeId),
        1 => (0..6usize, 1..4usize).prop_map(|(skip, count)| Op::Refuse(skip, count)),
        4 => Just(Op::Hear),
        1 => Just(Op::Overrun),
        1 => Just(Op::Down),
        2 => Just(Op::Up),
        1 => (DEVICE..DEVICE + 3).prop_map(Op::Recreate),
        1 => any::<bool>().prop_map(Op::Ipv6),
        1 => (0..3u32).prop_map(Op::Mtu),
        2 => (1..90_000u64).prop_map(Op::Pass),
        1 => Just(Op::Restart),
    ]
}

/// A place in the table that a VNI has, or had.
fn place(world: &World, (vni, destination): (usize, usize)) -> RouteKey {
    let text = DESTINATIONS[destination].replace("0.9/24", "0.0/24");
    key(table(world, vni), &text)
}

fn table(world: &World, vni: usize) -> u32 {
    let (vni, first) = VNIS[vni];
    world.tables.get(&Vni(vni)).copied().unwrap_or(first)
}

fn nth((vni, destination, hop, target): (usize, usize, u16, u32)) -> Route {
    let mut route = route(VNIS[vni].0, DESTINATIONS[destination], hop);
    let address = route.next_hop.address();
    route.next_hop = NextHop::new(address, target, NextHopType::Standard, 0, 0).unwrap();
    route
}

fn run(objects: bool, ops: Vec<Op>) {
    let mut world = World::new(objects);
    for op in ops {
        step(&mut world, op);
    }
    world.kernel.refuse = (0, 0);
    world.kernel.set_ipv6(true);
    let (index, _) = world.kernel.device.unwrap_or((DEVICE + 9, false));
    world.kernel.set_device(index, true);
    world.pass(Duration::from_secs(400));
    world.check(false);
    for (vni, _) in VNIS {
        world.complete(vni);
    }
    world.pass(Duration::from_secs(130));
    world.check(true);
    world.kernel.log.clear();
    world.pass(Duration::from_secs(100));
    // Only requests of routes: conflicts are tried again, but nothing else is requested.
    let of_routes = |request: &&Request| matches!(request, Request::SetRoute { .. });
    let asked = world.kernel.log.iter().filter(of_routes).count();
    let conflicts = world.fib.summary().conflicts;
    assert!(asked <= 2 * conflicts, "it comes to rest");
    assert!(conflicts > 0 || world.kernel.log.is_empty(), "it comes to rest");
    world.clean_up();
    assert_eq!(world.installed(), 0);
    assert!(world.kernel.objects.values().all(|object| object.protocol != OURS));
}

fn step(world: &mut World, op: Op) {
    match op {
        Op::Toggle(routes) => {
            let mut changes = Vec::new();
            for route in routes.into_iter().map(nth) {
                if changes.iter().any(|(_, other)| *other == route) {
                    continue;
                }
                let known = world.announced.contains(&route);
                changes.push((if known { Action::Remove } else { Action::Add }, route));
            }
            world.apply(&changes);
        }
        Op::Complete(vni) => world.complete(VNIS[vni].0),
        Op::Foreign(vni, at) => {
            let key = place(world, (vni, at));
            world.kernel.set_by_hand(key, STATIC, Via::Foreign);
        }
        Op::ForeignGoes(vni, at) => {
            let key = place(world, (vni, at));
            if world.kernel.routes.get(&key).is_some_and(|(protocol, _)| *protocol == STATIC) {
                world.kernel.delete_route(key);
            }
        }
        Op::DeleteRoute(vni, at) => {
            let key = place(world, (vni, at));
            world.kernel.delete_route(key);
        }
        Op::BreakRoute(vni, at) => {
            let key = place(world, (vni, at));
            if world.kernel.routes.get(&key).is_some_and(|(protocol, _)| *protocol == OURS) {
                world.kernel.set_by_hand(key, OURS, Via::Foreign);
            }
        }
        Op::Stray(vni, n) => {
            // A table without a VNI is not queried.
            if world.tables.contains_key(&Vni(VNIS[vni].0)) {
                let key = key(table(world, vni), &format!("192.0.2.{n}/32"));
                world.kernel.set_by_hand(key, OURS, Via::Foreign);
            }
        }
        Op::DeleteObject(n) => {
            let ids: Vec<_> = world.kernel.objects.keys().copied().collect();
            if !ids.is_empty() {
                world.kernel.delete_object(ids[n % ids.len()]);
            }
        }
        Op::TakeId(id) => {
            let body = ObjectBody::Foreign;
            let object = Object { id, protocol: STATIC, body };
            world.kernel.objects.entry(id).or_insert(object);
        }
        Op::Refuse(skip, count) => world.kernel.refuse = (skip, count),
        Op::Hear => world.hear(),
        Op::Overrun => world.overrun(),
        Op::Down | Op::Up | Op::Recreate(_) | Op::Ipv6(_) | Op::Mtu(_) => device(world, &op),
        Op::Move(vni, more) => {
            let (vni, first) = VNIS[vni];
            world.move_to(vni, more.map(|more| first + more));
        }
        Op::Pass(millis) => world.pass(Duration::from_millis(millis)),
        // A new run does not know a table that was dropped while the kernel refused to delete a route there.
        Op::Restart if has_left_over(world) => {}
        Op::Restart => {
            let again: Vec<_> = world.announced.iter().copied().collect();
            world.restart();
            for chunk in again.chunks(2) {
                world.add(chunk);
            }
        }
    }
}

/// Whether there are own routes in a table that no VNI has.
fn has_left_over(world: &World) -> bool {
    let tables: Vec<_> = world.tables.values().collect();
    let mut routes = world.kernel.routes.iter();
    routes.any(|(key, (protocol, _))| *protocol == OURS && !tables.contains(&&key.table))
}

/// Changes the tunnel device.
fn device(world: &mut World, op: &Op) {
    match op {
        Op::Down => {
            if let Some((index, _)) = world.kernel.device {
                world.kernel.set_device(index, false);
            }
        }
        Op::Up => {
            let (index, _) = world.kernel.device.unwrap_or((DEVICE, false));
            world.kernel.set_device(index, true);
        }
        &Op::Recreate(index) => {
            world.kernel.set_device(0, false);
            world.kernel.set_device(index, true);
        }
        &Op::Ipv6(has_it) => world.kernel.set_ipv6(has_it),
        &Op::Mtu(more) => world.kernel.set_mtu(more),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_kernel_ends_up_with_what_is_wanted(objects in any::<bool>(), ops in vec(op(), 1..60)) {
        run(objects, ops);
    }
}
