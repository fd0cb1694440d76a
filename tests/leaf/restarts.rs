//! What dies and comes back, and what guests notice of it: nothing.

use crate::harness::{Flood, Guest, Lab, Process, TUNNEL, table};

/// Two leaves whose guests reach each other; each leaf's routes are announced by a process apart.
struct Pair {
    here: Guest,
    there: Guest,
    installer: Process,
    _others: [Process; 3],
}

impl Pair {
    fn start(lab: &Lab, flags: &str) -> Self {
        let (a, b) = (lab.leaf("a"), lab.leaf("b"));
        let (here, there) = (a.add_guest(100, 1), b.add_guest(100, 2));
        let pair = Self {
            installer: a.install(&[100], flags),
            _others: [b.install(&[100], flags), a.announce(&[&here]), b.announce(&[&there])],
            here,
            there,
        };
        for address in pair.there.addresses() {
            a.wait_for_route(100, address, &[b]);
        }
        for address in pair.here.addresses() {
            b.wait_for_route(100, address, &[a]);
        }
        pair
    }

    fn flood(&self) -> [Flood; 2] {
        self.there.addresses().map(|address| Flood::start(&self.here, address))
    }
}

#[test]
fn a_leaf_that_is_killed_and_started_again_loses_no_packet() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let pair = Pair::start(&lab, "");
    let floods = pair.flood();
    pair.installer.kill();
    // Nobody announces this one any more when the leaf is back.
    let gone = a.add_guest(100, 77);
    a.ip(&format!(
        "route add {}/32 table {} proto 254 encap ip6 id 100 dst {} dev {TUNNEL}",
        gone.v4(),
        table(100),
        b.underlay()
    ));
    for flood in &floods {
        flood.wait_for(5);
    }
    // The server has had sessions for seconds only, and is believed when the stale time is over.
    let _again = a.install(&[100], "--stale-time 2s");
    // It has compared the kernel's routes with the servers' when that one goes.
    a.wait_for_no_route(100, gone.v4());
    // And goes on with what changes.
    let new = b.add_guest(100, 78);
    let _announcer = b.announce(&[&new]);
    a.wait_for_route(100, new.v6(), &[b]);
    for flood in floods {
        flood.expect_no_loss();
    }
}

#[test]
fn a_reflector_that_is_killed_and_started_again_loses_no_packet() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let server = lab.start_server();
    let pair = Pair::start(&lab, "--stale-time 60s");
    let floods = pair.flood();
    server.kill();
    for flood in &floods {
        flood.wait_for(25);
    }
    let _server = lab.start_server();
    // Both leaves are connected again when each learns what is new.
    let (near, far) = (a.add_guest(100, 77), b.add_guest(100, 78));
    let _announcers = [a.announce(&[&near]), b.announce(&[&far])];
    a.wait_for_route(100, far.v4(), &[b]);
    b.wait_for_route(100, near.v4(), &[a]);
    for flood in floods {
        flood.wait_for(25);
        flood.expect_no_loss();
    }
}

#[test]
fn a_leaf_and_its_reflector_that_are_started_again_together_lose_no_packet() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (here, there) = (a.add_guest(100, 1), b.add_guest(100, 2));
    let server = lab.start_server();
    let installer = a.install(&[100], "");
    let _other = [b.install(&[100], ""), a.announce(&[&here])];
    let announcer = b.announce(&[&there]);
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
        b.wait_for_route(100, here.addresses()[0], &[a]);
    }
    let floods = there.addresses().map(|address| Flood::start(&here, address));
    installer.kill();
    server.kill();
    // As one whose pause before the next attempt is a long one.
    announcer.kill();
    let _server = lab.start_server();
    let again = a.install(&[100], "-v");
    again.wait_for_log("in_sync=true");
    for flood in &floods {
        flood.wait_for(25);
    }
    let _announcer = b.announce(&[&there]);
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    for flood in floods {
        flood.expect_no_loss();
    }
}

#[test]
fn routes_go_when_all_servers_are_gone_for_the_stale_time() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let server = lab.start_server();
    let pair = Pair::start(&lab, "--stale-time 1s");
    server.kill();
    for address in pair.there.addresses() {
        a.wait_for_no_route(100, address);
        assert!(pair.here.cannot_ping(address), "{address}");
    }
    // And come back with them.
    let _server = lab.start_server();
    for address in pair.there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
}

#[test]
fn a_signal_leaves_routes_where_they_are_unless_told_to_clean_up() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let pair = Pair::start(&lab, "");
    let (status, log) = pair.installer.terminate();
    assert_eq!(status, Some(0), "{log}");
    for address in pair.there.addresses() {
        a.wait_for_route(100, address, &[b]);
        assert!(pair.here.can_ping(address), "{address}");
    }
    // The next one takes over what it finds, and takes it along at its end.
    let new = b.add_guest(100, 77);
    let _announcer = b.announce(&[&new]);
    let cleaning = a.install(&[100], "--cleanup");
    a.wait_for_route(100, new.v4(), &[b]);
    let (status, log) = cleaning.terminate();
    assert_eq!(status, Some(0), "{log}");
    for address in pair.there.addresses().into_iter().chain(new.addresses()) {
        assert_eq!(a.route(100, address), "", "{log}");
    }
    assert_eq!(a.nexthops(), "", "{log}");
}

#[test]
fn routes_are_withdrawn_before_their_device_goes() {
    let Some(lab) = Lab::new() else { return };
    let a = lab.leaf("a");
    let _server = lab.start_server();
    let pair = Pair::start(&lab, "");
    let (status, log) = pair.installer.terminate();
    assert_eq!(status, Some(0), "{log}");
    assert_eq!(a.withdraw().unwrap(), "2 routes and 1 nexthop objects removed\n");
    for address in pair.there.addresses() {
        assert_eq!(a.route(100, address), "");
    }
    assert_eq!(a.nexthops(), "");
    a.ip(&format!("link delete {TUNNEL}"));
    assert!(a.withdraw().unwrap_err().contains("there is no device overlay-tun"));
}

#[test]
fn a_handover_of_the_reflector_loses_no_packet_and_ends_no_session() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let folder = std::env::temp_dir().join(format!("{}-handover", a.namespace()));
    std::fs::create_dir(&folder).unwrap();
    let flags = format!("--control {}/control.sock --takeover", folder.display());
    let old = lab.start_server_with(&flags);
    let pair = Pair::start(&lab, "");
    let floods = pair.flood();
    let _new = lab.start_server_with(&flags);
    let (status, log) = old.wait();
    assert_eq!(status, Some(0), "{log}");
    // The new process serves the sessions of the old one.
    let late = b.add_guest(100, 3);
    let _late = b.announce(&[&late]);
    a.wait_for_route(100, late.v6(), &[b]);
    floods.into_iter().for_each(Flood::expect_no_loss);
    assert_eq!(pair.installer.log().matches("session established").count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
