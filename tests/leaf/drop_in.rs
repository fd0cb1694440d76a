//! Command lines of a fleet whose leaves were the reference's: each works as it is written there.

use std::net::IpAddr;

use crate::harness::{Lab, Leaf, TUNNEL, wait_until};

/// What a routing table has for exactly this address.
fn in_table(leaf: &Leaf, table: u32, address: IpAddr) -> String {
    let family = if address.is_ipv4() { "-4" } else { "-6" };
    leaf.shows(&format!("{family} route show table {table} exact {address}"))
}

/// Runs a leaf with `--install-routes 100#GIVEN` beside routes of table `table` that are not its own.
fn a_table_of_the_host_takes_routes(given: u32, table: u32) {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let there = b.add_guest(100, 2);
    let _announcer = b.announce(&[&there]);
    // Another program's, under the leaf's protocol number; and what an earlier run of the leaf has left.
    a.ip(&format!("route add 192.0.2.0/24 dev eth0 table {table} proto 254"));
    a.ip(&format!("-6 route add 2001:db8:77::/48 dev eth0 table {table} proto 254"));
    let left =
        format!("table {table} proto 254 encap ip6 id 100 dst {} dev {TUNNEL}", b.underlay());
    a.ip(&format!("route add 198.51.100.7/32 {left}"));
    let line = format!(
        "--subscribe 100 --install-routes 100#{given} --tun {TUNNEL} --cleanup --stale-time 2s"
    );
    let leaf = a.client(&line);
    leaf.wait_for_log(&format!("into table {table}, which is the host's own"));
    let state = || a.ip(&format!("route show table {table}"));
    for address in there.addresses() {
        let is_so = || in_table(a, table, address).contains("nhid");
        wait_until("the route is there", state, is_so);
    }
    // It has compared the table with the servers' when that one goes.
    let left = "198.51.100.7".parse().unwrap();
    wait_until("what was left is gone", state, || in_table(a, table, left).is_empty());
    let stays = || {
        for stranger in ["192.0.2.0/24", "2001:db8:77::/48"] {
            let family = if stranger.contains(':') { "-6" } else { "-4" };
            let route = a.ip(&format!("{family} route show table {table} exact {stranger}"));
            assert!(route.contains("dev eth0"), "{stranger}: {}", leaf.log());
        }
    };
    stays();
    leaf.signal(rustix::process::Signal::TERM);
    for address in there.addresses() {
        wait_until("it is removed", state, || in_table(a, table, address).is_empty());
    }
    stays();
}

#[test]
fn install_routes_100_254() {
    a_table_of_the_host_takes_routes(254, 254);
}

#[test]
fn install_routes_100_0() {
    a_table_of_the_host_takes_routes(0, 254);
}

#[test]
fn install_routes_100_253() {
    a_table_of_the_host_takes_routes(253, 253);
}

#[test]
fn install_routes_100_255() {
    a_table_of_the_host_takes_routes(255, 255);
}

#[test]
fn a_route_of_the_same_protocol_in_the_main_table_is_in_the_way_until_it_goes() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let there = b.add_guest(100, 2);
    let _announcer = b.announce(&[&there]);
    a.ip(&format!("route add {}/32 dev eth0 proto 254", there.v4()));
    let leaf = a.client(&format!("--subscribe 100 --install-routes 100#254 --tun {TUNNEL}"));
    leaf.wait_for_log("a route of protocol 254 has this destination and metric");
    assert!(in_table(a, 254, there.v4()).contains("dev eth0"), "{}", leaf.log());
    a.ip(&format!("route delete {}/32 dev eth0 proto 254", there.v4()));
    let is_so = || in_table(a, 254, there.v4()).contains("nhid");
    wait_until("ours is there", || leaf.log(), is_so);
}

#[test]
fn install_routes_100_1100_install_routes_200_1100() {
    let Some(lab) = Lab::new() else { return };
    let (a, b, c) = (lab.leaf("a"), lab.leaf("b"), lab.leaf("c"));
    let _server = lab.start_server();
    let line = format!(
        "--subscribe 100 --subscribe 200 --install-routes 100#1100 --install-routes 200#1100 --tun {TUNNEL}"
    );
    let leaf = a.client(&line);
    leaf.wait_for_log("puts the VNIs 100, 200 into table 1100");
    let both: IpAddr = "10.9.0.1".parse().unwrap();
    let first = b.client(&format!("--announce 100#{both}/32#{}", b.underlay()));
    a.wait_for_route(100, both, &[b]);
    let other = "10.9.0.2".parse().unwrap();
    let hop = c.underlay();
    let _second = c.client(&format!("--announce 200#{both}/32#{hop},200#{other}/32#{hop}"));
    // The table of VNI 100 has routes of VNI 200, and no packet of one gets to the other.
    a.wait_for_route(100, other, &[c]);
    leaf.wait_for_log("is announced in VNI 100 and VNI 200, which both have this table");
    a.wait_for_route(100, both, &[b]);
    first.terminate();
    a.wait_for_route(100, both, &[c]);
    leaf.wait_for_log("is announced in VNI 200 alone, of those with this table");
}

#[test]
fn tun_of_another_kind() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let there = b.add_guest(100, 2);
    let _announcer = b.announce(&[&there]);
    a.ip("link add other type vxlan external dstport 4791");
    a.ip("link set other up");
    let leaf = a.client("--subscribe 100 --install-routes 100#1100 --tun other");
    leaf.wait_for_log("WARN packets may be lost: device other is a vxlan that carries Ethernet");
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    leaf.terminate();
    // Else the kernel would do so, object by object.
    a.ip("-4 route flush table 1100 proto static");
}
