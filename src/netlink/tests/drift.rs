//! What others do to routes, objects and the device.

use super::harness::{DEVICE, Leaf, TABLE, config, inline, leaf, route};
use crate::netlink::Mode;
use crate::netlink::testing::in_namespace;

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

#[test]
fn routes_that_are_deleted_by_hand_come_back() {
    for config in [config(), inline()] {
        leaf(config, |leaf| {
            leaf.add(&[route(A, 1), route(B, 1)]);
            leaf.namespace.ip(&format!("route del {A} table {TABLE}"));
            leaf.namespace.ip(&format!("-6 route del {B} table {TABLE}"));
            leaf.until("repaired", |leaf| leaf.status().repairs == 2);
            leaf.until("back", |leaf| leaf.routes().len() == 2);
        });
    }
}

#[test]
fn objects_that_are_deleted_by_hand_come_back() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1), route("10.1.0.0/16", 1), route("10.1.0.0/16", 2)]);
        let before = leaf.nexthops().len();
        for _ in 0..3 {
            let id = leaf.nexthops()[0].split(' ').nth(1).unwrap().to_owned();
            leaf.namespace.ip(&format!("nexthop del id {id}"));
            leaf.until("made anew", |leaf| {
                let there = leaf.nexthops();
                there.len() == before && !there.iter().any(|line| line.contains(&id))
            });
            leaf.until("back", |leaf| leaf.routes().len() == 3);
        }
    });
}

#[test]
fn a_flush_of_all_objects_is_repaired() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1), route(B, 2)]);
        leaf.namespace.ip("nexthop flush");
        leaf.until("back", |leaf| leaf.routes().len() == 2 && leaf.nexthops().len() == 3);
    });
}

#[test]
fn a_device_that_comes_up_again_gets_everything_again() {
    for config in [config(), inline()] {
        let objects = if config.mode == Mode::Objects { 3 } else { 0 };
        leaf(config, |leaf| {
            leaf.add(&[route(A, 1), route(B, 1), route(B, 2)]);
            leaf.namespace.ip(&format!("link set {DEVICE} down"));
            leaf.until("noticed", |leaf| {
                let status = leaf.status();
                !status.device_up && status.installed == 0
            });
            let error = leaf.try_add(&[route("10.1.0.0/16", 1)])[0].clone().unwrap_err();
            assert_eq!(error.reason, "the tunnel device tun0 is down");
            leaf.namespace.ip(&format!("link set {DEVICE} up"));
            leaf.until("back", |leaf| leaf.routes().len() == 3);
            leaf.until("whole", |leaf| leaf.nexthops().len() == objects);
            assert_eq!(leaf.status().refused, 0);
        });
    }
}

#[test]
fn a_device_that_flaps_gets_everything_again() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1), route(B, 2)]);
        for _ in 0..5 {
            leaf.namespace.ip(&format!("link set {DEVICE} down"));
            leaf.namespace.ip(&format!("link set {DEVICE} up"));
        }
        leaf.until("back", |leaf| leaf.routes().len() == 2 && leaf.nexthops().len() == 3);
    });
}

#[test]
fn a_device_that_is_made_anew_gets_everything_again() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1), route(B, 2)]);
        leaf.namespace.ip(&format!("link del {DEVICE}"));
        leaf.until("noticed", |leaf| !leaf.status().device_up);
        leaf.namespace.ip("link add other type veth peer name another");
        leaf.namespace.tunnel(DEVICE);
        leaf.until("back", |leaf| leaf.routes().len() == 2 && leaf.nexthops().len() == 3);
    });
}

#[test]
fn a_device_of_the_wrong_sort_is_not_used() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1)]);
        leaf.namespace.ip(&format!("link del {DEVICE}"));
        leaf.namespace.ip(&format!("link add {DEVICE} type veth peer name another"));
        leaf.namespace.ip(&format!("link set {DEVICE} up"));
        leaf.until("refused", |leaf| {
            leaf.try_add(&[route("10.1.0.0/16", 1)])[0]
                .as_ref()
                .is_err_and(|error| !error.reason.contains("no device"))
        });
        assert_eq!(leaf.routes().len(), 0);
    });
}

#[test]
fn ipv4_routes_are_installed_while_the_device_has_no_ipv6() {
    for config in [config(), inline()] {
        in_namespace(|namespace| {
            std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
            namespace.tunnel(DEVICE);
            let mut leaf = Leaf::new(namespace, config);
            leaf.add(&[route(A, 1), route("10.1.0.0/16", 1), route("10.1.0.0/16", 2)]);
            let error = leaf.try_add(&[route(B, 1), route(B, 2)])[0].clone().unwrap_err();
            assert!(error.reason.contains("IPv6 is disabled on the tunnel device"), "{error}");
            assert_eq!(leaf.routes().len(), 2);
            std::fs::write(format!("/proc/sys/net/ipv6/conf/{DEVICE}/disable_ipv6"), "0").unwrap();
            leaf.until("all there", |leaf| leaf.routes().len() == 3 && leaf.status().refused == 0);
        });
    }
}

#[test]
fn ipv6_routes_come_as_soon_as_the_mtu_allows_them() {
    in_namespace(|namespace| {
        namespace.tunnel(DEVICE);
        let mut leaf = Leaf::new(namespace, config());
        leaf.add(&[route(A, 1)]);
        for number in 1..5 {
            namespace.ip(&format!("link set {DEVICE} mtu 1279"));
            let new = [route(&format!("2001:db8:{number}::/48"), number)];
            leaf.until("noticed", |leaf| {
                let result = leaf.try_add(&new)[0].clone();
                leaf.remove(&new);
                result.is_err_and(|error| error.reason.contains("has an MTU of 1279"))
            });
            assert!(leaf.try_add(&new)[0].is_err());
            namespace.ip(&format!("link set {DEVICE} mtu 1280"));
            leaf.until("there", |leaf| leaf.routes().len() == 1 + usize::from(number));
        }
    });
}
