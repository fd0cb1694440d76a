//! Routes of both families, in both modes.

use super::harness::{Leaf, TABLE, config, inline, leaf, route};
use crate::dataplane::Retry;
use crate::netlink::{Mode, NetlinkConfig};
use crate::wire::Vni;

const A: &str = "10.0.0.0/24";
const B: &str = "2001:db8:1::/48";

#[test]
fn a_route_of_each_family_shares_an_object() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1)]);
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (2, 1));
        assert!(leaf.nexthops()[0].contains("id 100"), "{:?}", leaf.nexthops());
        leaf.remove(&[route(A, 1), route(B, 1)]);
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (0, 0));
    });
}

#[test]
fn one_hop_of_several_changes_without_a_gap() {
    for config in [config(), inline()] {
        let objects = config.mode == Mode::Objects;
        leaf(config, |leaf| {
            leaf.add(&[route(A, 1), route(A, 2), route(B, 1), route(B, 2)]);
            let four = leaf.routes();
            assert_eq!(four.len(), 2, "{four:?}");
            leaf.remove(&[route(A, 2), route(B, 2)]);
            leaf.add(&[route(A, 3), route(B, 3), route(A, 4), route(B, 4)]);
            let routes = leaf.routes();
            assert_eq!(routes.len(), 2, "{routes:?}");
            if objects {
                assert_eq!(
                    leaf.nexthops().len(),
                    4,
                    "three hops, one group: {:?}",
                    leaf.nexthops()
                );
            } else {
                assert!(routes.iter().all(|line| !line.contains("nhid")), "{routes:?}");
                for line in &routes {
                    let has = |hop| line.contains(&format!("dst 2001:db8::{hop} "));
                    assert!(has(1) && !has(2) && has(3) && has(4), "{line}");
                }
            }
            assert_eq!(leaf.status().refusals, 0);
            leaf.remove(&[route(A, 1), route(B, 1), route(A, 3), route(B, 3)]);
            leaf.remove(&[route(A, 4), route(B, 4)]);
            assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (0, 0));
        });
    }
}

#[test]
fn inline_routes_are_compared_with_what_dumps_show() {
    leaf(inline(), |leaf| {
        let routes = [route(A, 1), route(B, 1), route("10.1.0.0/16", 1), route("10.1.0.0/16", 2)];
        leaf.add(&routes);
        leaf.add(&[route("2001:db8:2::/48", 1), route("2001:db8:2::/48", 2)]);
        leaf.restart();
        leaf.add(&routes);
        leaf.add(&[route("2001:db8:2::/48", 1), route("2001:db8:2::/48", 2)]);
        leaf.complete();
        assert_eq!(leaf.status().requests, 0);
        assert_eq!(leaf.routes().len(), 4);
    });
}

#[test]
fn the_mode_may_change_over_a_restart() {
    leaf(inline(), |leaf| {
        let routes = [route(A, 1), route(A, 2), route(B, 1), route(B, 2)];
        leaf.add(&routes);
        leaf.reconfigure(config());
        leaf.add(&routes);
        leaf.complete();
        assert!(leaf.routes().iter().all(|line| line.contains("nhid")), "{:?}", leaf.routes());
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (2, 3));
        leaf.reconfigure(inline());
        leaf.add(&routes);
        leaf.complete();
        assert!(leaf.routes().iter().all(|line| !line.contains("nhid")), "{:?}", leaf.routes());
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (2, 0));
    });
}

#[test]
fn a_foreign_route_stays_and_ours_comes_when_it_goes() {
    for mode in [Mode::Objects, Mode::Inline] {
        for (family, prefix) in [("-4", A), ("-6", B)] {
            // Without a metric, `ip` would show the default metric of IPv6 routes.
            leaf(NetlinkConfig { mode, metric: 50, ..config() }, |leaf| {
                let foreign = format!("{prefix} table {TABLE} metric 50 proto static");
                leaf.namespace.ip(&format!("{family} route add unreachable {foreign}"));
                let results = leaf.try_add(&[route(prefix, 1)]);
                let error = results[0].clone().unwrap_err();
                assert_eq!(error.retry, Retry::Own);
                assert!(error.reason.contains("protocol 4 (static)"), "{error}");
                assert_eq!((leaf.routes().len(), leaf.status().conflicts), (0, 1));
                leaf.namespace.ip(&format!("{family} route del unreachable {foreign}"));
                leaf.until("installed", |leaf| leaf.routes().len() == 1);
                assert_eq!(leaf.status().conflicts, 0);
            });
        }
    }
}

#[test]
fn a_foreign_route_that_replaces_ours_is_not_taken_back() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1)]);
        leaf.namespace.ip(&format!("route replace unreachable {A} table {TABLE} proto static"));
        leaf.until("noticed", |leaf| leaf.status().conflicts == 1);
        assert!(leaf.try_add(&[route(A, 2)])[0].is_err());
        assert_eq!(leaf.routes(), Vec::<String>::new());
        leaf.namespace.ip(&format!("route del unreachable {A} table {TABLE} proto static"));
        leaf.until("installed", |leaf| leaf.routes().len() == 1);
    });
}

#[test]
fn cleanup_leaves_nothing_and_touches_nothing_else() {
    for config in [config(), inline()] {
        leaf(NetlinkConfig { cleanup: true, ..config }, |leaf| {
            leaf.namespace.ip(&format!("route add unreachable default table {TABLE} metric 9999"));
            leaf.namespace.ip("nexthop add id 7 dev tun0 proto static");
            leaf.add(&[route(A, 1), route(B, 1), route(B, 2), route("::/0", 3)]);
            leaf.stop();
            assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (0, 1));
            assert!(leaf.namespace.ip(&format!("route show table {TABLE}")).contains("default"));
        });
    }
}

#[test]
fn a_stop_without_cleanup_leaves_everything() {
    leaf(config(), |leaf| {
        leaf.add(&[route(A, 1), route(B, 1)]);
        leaf.stop();
        assert_eq!((leaf.routes().len(), leaf.nexthops().len()), (2, 1));
    });
}

#[test]
fn a_group_may_have_as_many_hops_as_are_used() {
    leaf(config(), |leaf| {
        let routes: Vec<_> = (1..=140).flat_map(|hop| [route(A, hop), route(B, hop)]).collect();
        leaf.add(&routes);
        assert_eq!(leaf.nexthops().len(), 129);
        // Dumps show them whole: a restart makes no request.
        leaf.restart();
        leaf.add(&routes);
        leaf.complete();
        assert_eq!(leaf.status().requests, 0);
    });
}

#[test]
fn a_next_hop_at_an_own_address_is_installed_only_while_it_is_another_hosts() {
    leaf(config(), |leaf| {
        leaf.namespace.ip("link set lo up");
        leaf.namespace.ip("address add 2001:db8::1/128 dev lo nodad");
        leaf.namespace.ip("route add local 2001:db8::200/120 dev lo");
        let own = |leaf: &mut Leaf<'_>| {
            let counts = leaf.status().unusable;
            counts.into_iter().find(|(why, _)| *why == "own_address").unwrap().1
        };
        leaf.try_add(&[route(A, 1), route(B, 0x2ff), route("10.9.0.0/16", 2)]);
        leaf.until("known", |leaf| own(leaf) == 2 && leaf.routes().len() == 1);
        assert!(leaf.routes()[0].contains("10.9.0.0/16"), "{:?}", leaf.routes());
        leaf.namespace.ip("address delete 2001:db8::1/128 dev lo");
        leaf.until("installed", |leaf| leaf.routes().len() == 2);
        leaf.namespace.ip("address add 2001:db8::2/128 dev lo nodad");
        leaf.until("removed", |leaf| leaf.routes().len() == 1);
        assert_eq!(leaf.status().refusals, 0);
    });
}

#[test]
fn a_vni_that_packets_have_no_room_for_is_refused_at_the_start() {
    let tables = [(Vni((1 << 24) - 1), 7)].into();
    assert!(NetlinkConfig { tables, ..config() }.check().is_ok());
    let tables = [(Vni(1 << 24), 7)].into();
    let error = NetlinkConfig { tables, ..config() }.check().unwrap_err();
    assert!(error.to_string().contains("VNI 16777216"), "{error}");
}
