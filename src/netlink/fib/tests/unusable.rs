//! Next hops that can't be used: counted, logged once, and never in the kernel.

use std::net::IpAddr;

use super::world::{World, config, route, underlay};
use crate::dataplane::{Retry, Route};
use crate::netlink::fib::NoteKind;
use crate::netlink::fib::config::Meaning;
use crate::netlink::model::{KernelEvent, OWN_ADDRESSES, RouteKey};
use crate::wire::{Action, Destination, NextHop, NextHopType, Vni};

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

fn via(address: &str) -> Route {
    Route { next_hop: NextHop::standard(address.parse().unwrap()), ..route(100, A, 1) }
}

fn to_vni(vni: u32) -> Route {
    let address = IpAddr::V6(underlay(1));
    let next_hop = NextHop::new(address, vni, NextHopType::Standard, 0, 0).unwrap();
    Route { next_hop, ..route(100, A, 1) }
}

/// The numbers of `world`'s routes that can't be used, by reason.
fn unusable(world: &World) -> Vec<(&'static str, usize)> {
    let all = world.fib.summary().unusable;
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn lines(world: &mut World) -> Vec<String> {
    let lines = world.fib.lines(world.now).into_iter();
    lines.filter(|(kind, _)| *kind == NoteKind::Unusable).map(|(_, line)| line).collect()
}

impl World {
    /// The host's addresses change.
    fn own(&mut self, addresses: &[&str]) {
        let network = |text: &&str| route(0, text, 0).destination;
        self.kernel.own = addresses.iter().map(network).collect();
        let destination = Destination::new(IpAddr::V6(underlay(1)), 128).unwrap();
        let key = RouteKey { table: OWN_ADDRESSES, destination, metric: 0 };
        self.kernel.events.push(KernelEvent::RouteSet { key, protocol: 2 });
        self.hear();
        self.pass(std::time::Duration::from_secs(2));
    }
}

#[test]
fn a_next_hop_that_cannot_work_is_not_installed_but_counted_and_told_once() {
    for (reason, bad) in [
        ("unspecified", via("::")),
        ("multicast", via("ff02::1")),
        ("loopback", via("::1")),
        ("loopback", via("127.0.0.1")),
        ("ipv4_mapped", via("::ffff:192.0.2.1")),
        ("link_local", via("fe80::1")),
        ("ipv4", via("192.0.2.1")),
        ("target_vni", to_vni(1 << 24)),
        ("target_vni", to_vni(u32::MAX)),
    ] {
        let mut world = World::new(true);
        let good = route(100, A, 2);
        let elsewhere = Route { destination: route(100, B, 1).destination, ..bad };
        world.add(&[good]);
        let results = world.add(&[bad, elsewhere]);
        assert!(results.iter().all(|result| result.as_ref().unwrap_err().retry == Retry::Own));
        world.check(true);
        assert_eq!(unusable(&world), [(reason, 2)]);
        let logged = lines(&mut world);
        assert_eq!(logged.len(), 1, "{logged:?}");
        assert!(logged[0].contains(reason) && logged[0].contains(A), "{logged:?}");
        // Neither log nor counts change when the route comes and goes.
        for _ in 0..50 {
            world.remove(&[bad]);
            world.add(&[bad]);
        }
        world.pass(std::time::Duration::from_secs(10));
        assert_eq!(lines(&mut world), [""; 0]);
        assert_eq!(unusable(&world), [(reason, 2)]);
        world.remove(&[bad, elsewhere]);
        assert_eq!(unusable(&world), []);
        world.check(true);
    }
}

#[test]
fn every_reason_is_told_however_many_come_at_once() {
    let mut world = World::new(true);
    let all = [
        via("::"),
        via("ff02::1"),
        via("::1"),
        via("::ffff:192.0.2.1"),
        via("fe80::1"),
        via("192.0.2.1"),
        to_vni(1 << 24),
    ];
    world.add(&all);
    assert_eq!(lines(&mut world).len(), all.len());
}

#[test]
fn the_greatest_target_vni_is_installed() {
    let mut world = World::new(true);
    assert_eq!(world.add(&[to_vni((1 << 24) - 1)]), [Ok(())]);
    world.check(true);
    assert_eq!(world.installed(), 1);
    let mut config = config(true);
    config.tables.insert(Vni(1 << 24), 77);
    let wide = Route { vni: Vni(1 << 24), ..route(100, A, 1) }.update(Action::Add);
    assert!(matches!(config.read(&wide), Meaning::Unusable(_)));
}

#[test]
fn next_hops_at_the_hosts_own_addresses_wait_until_these_are_gone() {
    let mut world = World::new(true);
    world.own(&["2001:db8::1/128"]);
    let (own, other) = (route(100, A, 1), route(100, A, 2));
    let results = world.add(&[own, other, route(200, A, 1)]);
    assert!(results[0].as_ref().unwrap_err().reason.contains("an address of this host"));
    assert!(results[1].is_ok() && results[2].is_err());
    world.check(true);
    assert_eq!((world.installed(), unusable(&world)), (1, vec![("own_address", 2)]));
    assert_eq!(lines(&mut world).len(), 1);
    // The address moves to another host, and comes back.
    world.own(&["2001:db8::7/128"]);
    world.check(true);
    assert_eq!((world.installed(), unusable(&world)), (2, vec![]));
    world.own(&["2001:db8::1/128"]);
    world.check(true);
    assert_eq!((world.installed(), unusable(&world)), (1, vec![("own_address", 2)]));
    world.remove(&[own, route(200, A, 1)]);
    assert_eq!(unusable(&world), []);
    world.own(&[]);
    world.check(true);
    assert_eq!(world.installed(), 1);
}

#[test]
fn a_prefix_that_the_host_takes_packets_for_is_its_own_as_well() {
    let mut world = World::new(true);
    world.own(&["2001:db8::/120", "::1/128"]);
    let results = world.add(&[route(100, A, 0xff), route(100, A, 0x100)]);
    assert!(results[0].is_err() && results[1].is_ok());
    assert_eq!(world.installed(), 1);
}
