//! Own routes that come back to their announcer, seen through sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use metalbond::policy::{Echo, Policy};
use metalbond::wire::{NextHop, NextHopType};

use crate::harness::{Client, ReflectorConfig, Route, on_each_io, route, start};

on_each_io!(own_routes_come_back_in_a_dump, own_routes_come_back_as_a_class_says,);

/// The same route with a next hop of another type.
fn of_type(route: &Route, kind: NextHopType) -> Route {
    let ports = if kind == NextHopType::Nat { (1, 9) } else { (0, 0) };
    let next_hop = NextHop::new(route.next_hop.address(), 0, kind, ports.0, ports.1).unwrap();
    Route { next_hop, ..*route }
}

/// A route of each type.
fn of_each_type(hop: u16) -> [Route; 3] {
    let standard = route(1, hop.into(), hop);
    let lb = of_type(&standard, NextHopType::LoadBalancerTarget);
    [standard, lb, of_type(&standard, NextHopType::Nat)]
}

fn own_routes_come_back_in_a_dump(config: ReflectorConfig) {
    let mut config = config.clone();
    config.settings.echo = Echo::Dump;
    let (_reflector, address) = start(&config);
    let [mut watcher, mut agent] = [Client::establish(address), Client::establish(address)];
    watcher.subscribe(1);
    let [standard, lb, nat] = of_each_type(1);
    agent.announce_all(&[standard, lb, nat]);
    watcher.expect_view(&[standard, lb, nat]);
    agent.subscribe(1);
    agent.expect_view(&[standard, lb]);
    // Neither what it announces later, nor what happens to NAT routes.
    let (later, marker) = (route(1, 2, 1), route(1, 3, 2));
    agent.announce(&later);
    agent.withdraw(&nat);
    watcher.expect_view(&[standard, lb, later]);
    watcher.announce(&marker);
    agent.expect_view(&[standard, lb, marker]);
    agent.withdraw(&standard);
    agent.expect_view(&[lb, marker]);
}

fn own_routes_come_back_as_a_class_says(config: ReflectorConfig) {
    let policy = "[[policy.class]]\nname = \"old\"\nfrom = \"127.0.0.0/8\"\necho = \"lb\"\n";
    let mut config = config.clone();
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.settings.policy = Arc::new(Policy::read(policy).unwrap());
    config.settings.echo = Echo::All;
    let (_reflector, address) = start(&config);
    let old = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let other = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    let [mut old, mut other] = [Client::establish(old), Client::establish(other)];
    old.subscribe(1);
    other.subscribe(1);
    let [standard, lb, nat] = of_each_type(1);
    let others = of_each_type(2);
    other.announce_all(&others);
    old.announce_all(&[standard, lb, nat]);
    old.expect_view(others.iter().chain([&lb]));
    other.expect_view(&[standard, lb, nat, others[0], others[1]]);
    let wrong = Policy::read("[[policy.class]]\nname = \"default\"\necho = \"std\"\n").unwrap_err();
    let expected = "line 3: echo \"std\": expected none, dump, lb or all";
    assert_eq!(wrong[0].to_string(), expected);
}
