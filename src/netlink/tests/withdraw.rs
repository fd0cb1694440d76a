//! Routes that are withdrawn before their device goes.

use super::harness::{DEVICE, TABLE, config, inline, leaf, route};
use crate::netlink::{Mode, StartError, withdraw};

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

#[test]
fn all_routes_of_a_device_are_withdrawn_and_no_others() {
    for config in [config(), inline()] {
        let objects = if config.mode == Mode::Objects { 3 } else { 0 };
        leaf(config, |leaf| {
            leaf.add(&[route(A, 1), route("10.1.0.0/16", 1), route("10.1.0.0/16", 2)]);
            leaf.add(&[route(B, 1), route("::/0", 1), route("::/0", 2)]);
            leaf.stop();
            let namespace = leaf.namespace;
            namespace.tunnel_at("tun1", 4791);
            for line in [
                "nexthop add id 7 dev tun0 proto static",
                "nexthop add id 8 encap ip6 id 5 dst 2001:db8::1 dev tun1 proto 254",
                "route add 10.2.0.0/16 table 7000 nhid 8 proto 254",
                "route add unreachable 10.3.0.0/16 table 7000 proto 254",
                "route add 10.4.0.0/16 table 7000 dev tun0 proto static",
            ] {
                namespace.ip(line);
            }
            namespace.ip("route add 10.5.0.0/16 table 7000 encap ip6 id 5 dst 2001:db8::9 dev tun0 proto 254");
            let done = withdraw(DEVICE, 254).unwrap();
            assert_eq!((done.routes, done.objects, done.left), (5, objects, 0));
            assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (0, 2));
            assert_eq!(namespace.ip("-4 -o route show table 7000").lines().count(), 3);
            assert!(namespace.try_ip(&format!("-4 route show table {TABLE}")).stdout.is_empty());
            assert_eq!(withdraw(DEVICE, 254).unwrap().routes, 0);
        });
    }
}

#[test]
fn objects_that_other_protocols_routes_use_stay() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1), route(B, 2)]);
        leaf.stop();
        let group = leaf.nexthops();
        let group = group.iter().find(|line| line.contains("group")).unwrap();
        let id = group.split(' ').nth(1).unwrap();
        leaf.namespace.ip(&format!("route add 10.9.0.0/16 table 7000 nhid {id} proto static"));
        let done = withdraw(DEVICE, 254).unwrap();
        assert_eq!((done.routes, done.objects), (2, 0));
        assert_eq!(leaf.namespace.ip("-4 -o route show table 7000").lines().count(), 1);
    });
}

#[test]
fn a_device_that_is_not_there_is_named() {
    leaf(config(), |_| {
        let error = withdraw("tun9", 254).unwrap_err();
        assert!(matches!(error, StartError::NoDevice(_)), "{error}");
    });
}
