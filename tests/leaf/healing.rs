//! The kernel's routes are changed by others than the leaf.

use crate::harness::{Guest, Lab, Process, TUNNEL, table};

/// Leaf `a` has installed the routes to a guest of leaf `b`.
fn learned(lab: &Lab) -> (Guest, [Process; 3]) {
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let there = b.add_guest(100, 2);
    let processes = [lab.start_server(), b.announce(&[&there]), a.install(&[100], "")];
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    (there, processes)
}

#[test]
fn a_route_that_is_deleted_by_hand_comes_back() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (there, _processes) = learned(&lab);
    for (family, address) in [("-4", there.v4()), ("-6", there.v6())] {
        a.ip(&format!("{family} route delete {address} table {}", table(100)));
        a.wait_for_route(100, address, &[b]);
    }
}

#[test]
fn a_tunnel_that_is_deleted_and_made_again_gets_its_routes_again() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (there, _processes) = learned(&lab);
    a.ip(&format!("link delete {TUNNEL}"));
    for address in there.addresses() {
        a.wait_for_no_route(100, address);
    }
    a.add_tunnel();
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    // Down and up again is the same to the kernel.
    a.ip(&format!("link set {TUNNEL} down"));
    for address in there.addresses() {
        a.wait_for_no_route(100, address);
    }
    a.ip(&format!("link set {TUNNEL} up"));
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
}

#[test]
fn a_route_of_somebody_else_is_left_alone_and_reported() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (taken, free) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let table = table(100);
    for (family, address) in [("-4", taken.v4()), ("-6", taken.v6())] {
        a.ip(&format!("{family} route add {address} table {table} proto static dev {TUNNEL}"));
    }
    let _server = lab.start_server();
    let _announcer = b.announce(&[&taken, &free]);
    let installer = a.install(&[100], "");
    for address in free.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    for address in taken.addresses() {
        installer.wait_for_log(&address.to_string());
        let route = a.route(100, address);
        assert!(route.contains("proto static") && route.lines().count() == 1, "{route}");
    }
    // Nor does its end take them along.
    drop(installer);
    let (status, log) = {
        let cleaning = a.install(&[100], "--cleanup");
        cleaning.wait_for_log(&taken.v4().to_string());
        cleaning.terminate()
    };
    assert_eq!(status, Some(0), "{log}");
    for address in taken.addresses() {
        assert!(a.route(100, address).contains("proto static"), "{log}");
    }
}

#[test]
fn missing_rights_are_one_sentence() {
    if let Some(missing) = support::missing(&["setpriv"]) {
        support::skip!(missing);
    }
    let Some(lab) = Lab::new() else { return };
    let a = lab.leaf("a");
    // Without it in the bounding set, root does not have it either.
    let arguments = format!(
        "--bounding-set=-net_admin --inh-caps=-net_admin {} client --server [2001:db8::1]:4711 \
         --subscribe 100 --install-routes 100#{} --tun {TUNNEL}",
        crate::harness::binary(),
        table(100)
    );
    let (status, log) = Process::start(a.namespace(), "setpriv", &arguments).wait();
    assert_eq!(status, Some(1), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("metalbond: ") && last.contains("CAP_NET_ADMIN"), "{log}");
}
