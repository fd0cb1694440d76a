//! What is told of single routes and of whole VNIs.

use std::net::IpAddr;
use std::time::Duration;

use super::world::{DEVICE, STATIC, World, key, route, underlay};
use crate::dataplane::Route;
use crate::netlink::model::Via;
use crate::netlink::standing::{KernelRoute, KernelVerdict, KernelVni, Omitted};
use crate::wire::{Installed, NextHop, NextHopType, Vni};

const A: &str = "10.0.0.0/24";
const B: &str = "10.0.1.0/24";
const C: &str = "2001:db8:1::/48";

fn of_vni(world: &World, vni: u32) -> KernelVni {
    world.fib.vnis().into_iter().find(|it| it.vni == Vni(vni)).unwrap()
}

/// The state of the route to the destination of `routes`, which are all that are announced for it.
fn standing(world: &World, routes: &[Route]) -> KernelRoute {
    let Route { vni, destination, .. } = routes[0];
    world.fib.standing(vni, destination, routes, world.now).unwrap()
}

fn with_hop(route: Route, hop: &str, kind: NextHopType) -> Route {
    let (from, to) = if kind == NextHopType::Nat { (1, 2) } else { (0, 0) };
    let next_hop = NextHop::new(hop.parse::<IpAddr>().unwrap(), 0, kind, from, to).unwrap();
    Route { next_hop, ..route }
}

#[test]
fn each_destination_is_counted_once_by_how_it_stands() {
    let mut world = World::new(true);
    world.kernel.routes.insert(key(1100, B), (STATIC, Via::Foreign));
    let nat = with_hop(route(100, A, 1), "2001:db8::9", NextHopType::Nat);
    let ipv4 = with_hop(route(100, A, 1), "192.0.2.1", NextHopType::Standard);
    world.add(&[route(100, A, 1), route(100, A, 2), route(100, B, 1), nat, ipv4]);
    let counts = of_vni(&world, 100);
    let expected = KernelVni {
        wanted: 2,
        installed: 1,
        conflicts: 1,
        excluded: 1,
        unusable: 1,
        routes: Installed { wanted: 3, accepted: 2, left_out: 2 },
        ..KernelVni::new(Vni(100), 1100)
    };
    assert_eq!(counts, expected);
    world.kernel.refuse = (0, usize::MAX);
    world.add(&[route(100, C, 3)]);
    assert_eq!((of_vni(&world, 100).wanted, of_vni(&world, 100).refused), (3, 1));
    world.kernel.refuse = (0, 0);
    world.remove(&[route(100, A, 1), route(100, A, 2), route(100, B, 1), nat, ipv4]);
    world.remove(&[route(100, C, 3)]);
    assert_eq!(of_vni(&world, 100), KernelVni::new(Vni(100), 1100));
    assert_eq!(of_vni(&world, 200), KernelVni::new(Vni(200), 1200));
}

#[test]
fn an_installed_route_has_its_next_hops_and_its_age() {
    let mut world = World::new(true);
    let routes = [route(100, A, 1), route(100, A, 2)];
    world.add(&routes[..1]);
    world.pass(Duration::from_secs(5));
    world.add(&routes[1..]);
    world.pass(Duration::from_secs(7));
    let KernelRoute { table, verdict, installed, left_out, .. } = standing(&world, &routes);
    assert_eq!((table, verdict, left_out.len()), (1100, KernelVerdict::Installed, 0));
    let installed = installed.unwrap();
    assert_eq!(installed.next_hops, [underlay(1), underlay(2)]);
    assert_eq!((installed.since, installed.was_found), (Duration::from_secs(7), false));
    world.restart();
    let found = world.fib.standing(Vni(100), routes[0].destination, &[], world.now).unwrap();
    assert_eq!(found.verdict, KernelVerdict::NotWanted);
    assert!(found.installed.unwrap().was_found);
    assert_eq!(world.fib.standing(Vni(7), routes[0].destination, &[], world.now), None);
}

#[test]
fn why_a_route_is_not_installed_is_told_in_words() {
    let mut world = World::new(true);
    world.kernel.routes.insert(key(1100, A), (STATIC, Via::Foreign));
    world.add(&[route(100, A, 1)]);
    let KernelRoute { verdict, installed, .. } = standing(&world, &[route(100, A, 1)]);
    let words = "a route of protocol 4 (static) has this destination and metric";
    assert_eq!((verdict, installed), (KernelVerdict::Conflict(words.into()), None));

    world.kernel.refuse = (0, usize::MAX);
    world.add(&[route(100, B, 2)]);
    let words = "the kernel says: Cannot allocate memory";
    let refused = standing(&world, &[route(100, B, 2)]);
    assert_eq!(refused.verdict, KernelVerdict::Refused(words.into()));

    let nat = with_hop(route(100, C, 1), "2001:db8::9", NextHopType::Nat);
    let ipv4 = with_hop(route(100, C, 1), "192.0.2.1", NextHopType::Standard);
    world.add(&[nat, ipv4]);
    let KernelRoute { verdict, left_out, .. } = standing(&world, &[nat, ipv4]);
    assert_eq!(verdict, KernelVerdict::NotWanted);
    let kinds: Vec<_> = left_out.iter().map(|it| (it.route, it.omitted)).collect();
    assert_eq!(kinds, [(nat, Omitted::Excluded), (ipv4, Omitted::Unusable)]);
    assert!(left_out[0].words.contains("type nat"), "{left_out:?}");

    world.kernel.refuse = (0, 0);
    world.kernel.set_device(DEVICE, false);
    world.hear();
    let down = standing(&world, &[route(100, B, 2)]);
    assert_eq!(down.verdict, KernelVerdict::Pending("the tunnel device tun is down".into()));
}
