//! What a start refuses, and what it takes over.

use std::collections::BTreeMap;

use super::harness::{DEVICE, Leaf, TABLE, config, leaf, route};
use crate::netlink::testing::in_namespace;
use crate::netlink::{NetlinkClient, NetlinkConfig, StartError};
use crate::wire::Vni;

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

fn refused(config: NetlinkConfig) -> (StartError, String) {
    let error = NetlinkClient::start(config).unwrap_err();
    let words = error.to_string();
    (error, words)
}

#[test]
fn tables_and_numbers_that_are_not_free_are_refused() {
    let tables = BTreeMap::from([(Vni(100), 0)]);
    let (error, words) = refused(NetlinkConfig { tables, ..config() });
    assert!(matches!(error, StartError::Table { .. }), "{words}");
    for protocol in 0..=4 {
        let (error, words) = refused(NetlinkConfig { protocol, ..config() });
        assert!(matches!(error, StartError::Protocol(_)), "{words}");
    }
    for nexthop_base in [0, u32::MAX] {
        let (error, words) = refused(NetlinkConfig { nexthop_base, ..config() });
        assert!(matches!(error, StartError::NexthopBase(_)), "{words}");
    }
}

#[test]
fn a_device_that_is_not_there_or_of_the_wrong_sort_is_refused() {
    in_namespace(|namespace| {
        let (error, words) = refused(config());
        assert!(matches!(error, StartError::NoDevice(_)), "{words}");
        let (error, words) = refused(NetlinkConfig { device: "lo".to_owned(), ..config() });
        assert!(matches!(error, StartError::Device(_)), "{words}");
        namespace.ip(&format!("link add {DEVICE} type veth peer name other"));
        let (error, words) = refused(config());
        assert!(matches!(error, StartError::Device(_)), "{words}");
    });
}

#[test]
fn a_process_that_may_not_change_routes_is_told_so() {
    in_namespace(|namespace| {
        namespace.tunnel(DEVICE);
        let set = rustix::thread::capabilities(None).unwrap();
        let mut fewer = set;
        fewer.effective.remove(rustix::thread::CapabilitySet::NET_ADMIN);
        // This takes the capability from this thread and from the thread that it starts.
        rustix::thread::set_capabilities(None, fewer).unwrap();
        let (error, words) = refused(config());
        rustix::thread::set_capabilities(None, set).unwrap();
        assert!(matches!(error, StartError::Permission), "{words}");
    });
}

#[test]
fn a_device_that_is_down_is_waited_for() {
    in_namespace(|namespace| {
        namespace.tunnel(DEVICE);
        namespace.ip(&format!("link set {DEVICE} down"));
        let mut leaf = Leaf::new(namespace, config());
        let error = leaf.try_add(&[route(A, 1)])[0].clone().unwrap_err();
        assert_eq!(error.reason, "the tunnel device tun0 is down");
        namespace.ip(&format!("link set {DEVICE} up"));
        leaf.until("installed", |leaf| leaf.routes().len() == 1);
    });
}

#[test]
fn a_restart_touches_no_route_that_did_not_change() {
    leaf(config(), |leaf| {
        let routes = [route(A, 1), route(A, 2), route(B, 1), route(B, 2), route("::/0", 3)];
        leaf.add(&routes);
        let before = (leaf.routes(), leaf.nexthops());
        leaf.restart();
        for route in routes {
            leaf.add(&[route]);
        }
        leaf.complete();
        assert_eq!(leaf.status().requests, 0);
        assert_eq!((leaf.routes(), leaf.nexthops()), before);
    });
}

#[test]
fn what_nobody_announces_is_swept_when_all_is_known() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(A, 2), route(B, 3)]);
        leaf.stop();
        let ours = format!("table {TABLE} proto 254");
        leaf.namespace.ip(&format!("route add unreachable 192.0.2.0/24 {ours}"));
        leaf.namespace.ip(&format!("route add unreachable 198.51.100.0/24 table {TABLE}"));
        leaf.restart();
        leaf.add(&[route(A, 1)]);
        assert_eq!(leaf.routes().len(), 3);
        leaf.complete();
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (1, 1));
        let others = leaf.namespace.ip(&format!("route show table {TABLE} proto boot"));
        assert_eq!(others.lines().count(), 1, "{others}");
    });
}

#[test]
fn an_own_route_of_another_sort_is_replaced() {
    leaf(config(), |leaf| {
        leaf.stop();
        leaf.namespace.ip(&format!("route add unreachable {A} table {TABLE} proto 254"));
        leaf.restart();
        leaf.add(&[route(A, 1)]);
        leaf.complete();
        let routes = leaf.routes();
        assert!(routes.len() == 1 && routes[0].contains("nhid"), "{routes:?}");
    });
}

#[test]
fn leaves_with_tables_of_their_own_leave_each_other_alone() {
    leaf(config(), |a| {
        let routes = [route(A, 1), route(A, 2), route(B, 1)];
        a.add(&routes);
        let tables = BTreeMap::from([(Vni(100), 2100), (Vni(200), 2200)]);
        // The same hops in the same VNIs, so that the objects of both leaves look alike.
        let mut b = Leaf::new(a.namespace, NetlinkConfig { tables, cleanup: true, ..config() });
        b.complete();
        b.add(&routes);
        a.complete();
        a.restart();
        a.add(&routes);
        a.complete();
        b.restart();
        let namespace = a.namespace;
        let of_b = || namespace.ip("-4 -o route show table 2100").lines().count();
        b.add(&routes);
        b.complete();
        assert_eq!((a.routes().len(), of_b()), (2, 1));
        b.stop();
        assert_eq!(a.routes().len(), 2);
        assert_eq!((a.status().repairs, a.nexthops().len()), (0, 3));
    });
}

#[test]
fn a_leaf_that_cleans_up_beside_a_new_one_of_its_tables_leaves_that_one_whole() {
    leaf(NetlinkConfig { cleanup: true, ..config() }, |old| {
        let nth =
            |n: u16| [route(&format!("10.0.{n}.0/24"), n), route(&format!("fd00:{n:x}::/32"), n)];
        let routes: Vec<_> = (1..=150).flat_map(nth).collect();
        let (early, late) = routes.split_at(200);
        old.add(early);
        old.complete();
        let mut new = Leaf::new(old.namespace, config());
        new.add(early);
        new.complete();
        // Through objects that the other leaf does not know.
        old.add(late);
        new.add(late);
        old.stop();
        new.until("whole", |new| {
            let status = new.status();
            (new.routes().len(), status.installed, status.refused) == (300, 300, 0)
        });
        let end = new.status().repairs;
        new.add(&[route("192.0.2.0/24", 1)]);
        assert_eq!((new.routes().len(), new.status().repairs), (301, end));
    });
}
