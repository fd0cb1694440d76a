//! Packets of guests cross the underlay by the routes that leaves install. Runs over both kinds of
//! tunnel: see `ip6tnl`.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::harness::{Guest, Lab, Leaf, PATIENCE, TUNNEL, at, table};

/// The lab's own claim: with routes as a leaf would write them, and no leaf, guests reach each other.
#[test]
fn the_lab_itself_forwards_by_routes_written_by_hand() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (here, there) = (a.add_guest(100, 1), b.add_guest(100, 2));
    assert!(here.cannot_ping(there.v4()) && here.cannot_ping(there.v6()));
    let write = |on: &Leaf, to: &Guest, at: &Leaf| {
        for (family, prefix) in
            [("-4", format!("{}/32", to.v4())), ("-6", format!("{}/128", to.v6()))]
        {
            let (table, underlay) = (table(100), at.underlay());
            on.ip(&format!(
                "{family} route add {prefix} table {table} \
                 encap ip6 id 100 dst {underlay} dev {TUNNEL}"
            ));
        }
    };
    write(a, &there, b);
    write(b, &here, a);
    assert!(here.can_ping(there.v4()) && here.can_ping(there.v6()));
}

#[test]
fn guests_reach_each_other_over_both_address_families() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (here, there) = (a.add_guest(100, 1), b.add_guest(100, 2));
    let _server = lab.start_server();
    let _processes =
        [a.install(&[100], ""), b.install(&[100], ""), a.announce(&[&here]), b.announce(&[&there])];
    for address in there.addresses() {
        a.wait_for_route(100, address, &[b]);
    }
    for address in here.addresses() {
        b.wait_for_route(100, address, &[a]);
    }
    for address in there.addresses() {
        assert!(here.can_ping(address), "{address}");
    }
}

#[test]
fn two_vnis_with_the_same_prefix_stay_apart() {
    let Some(lab) = Lab::new() else { return };
    let (a, b, c) = (lab.leaf("a"), lab.leaf("b"), lab.leaf("c"));
    let (red, blue) = (a.add_guest(100, 1), a.add_guest(200, 2));
    let (red_peer, blue_peer) = (b.add_guest(100, 9), c.add_guest(200, 9));
    let _server = lab.start_server();
    let red_announcer = b.announce(&[&red_peer]);
    let _processes = [
        a.install(&[100, 200], ""),
        b.install(&[100], ""),
        c.install(&[200], ""),
        a.announce(&[&red, &blue]),
        c.announce(&[&blue_peer]),
    ];
    for address in red_peer.addresses() {
        a.wait_for_route(100, address, &[b]);
        a.wait_for_route(200, address, &[c]);
    }
    for (from, on, vni) in [(&red, b, 100), (&blue, c, 200)] {
        for address in from.addresses() {
            on.wait_for_route(vni, address, &[a]);
        }
    }
    for address in red_peer.addresses() {
        assert!(red.can_ping(address), "{address}");
    }
    assert_eq!((red_peer.pings_received(), blue_peer.pings_received()), (6, 0));
    for address in blue_peer.addresses() {
        assert!(blue.can_ping(address), "{address}");
    }
    assert_eq!((red_peer.pings_received(), blue_peer.pings_received()), (6, 6));

    // What one VNI has lost, the other does not stand in for.
    red_announcer.kill();
    for address in red_peer.addresses() {
        a.wait_for_no_route(100, address);
        assert!(red.cannot_ping(address), "{address}");
        assert!(blue.can_ping(address), "{address}");
    }
    assert_eq!((red_peer.pings_received(), blue_peer.pings_received()), (6, 12));
}

#[test]
fn flows_spread_over_all_next_hops() {
    let Some(lab) = Lab::new() else { return };
    let (a, b, c) = (lab.leaf("a"), lab.leaf("b"), lab.leaf("c"));
    let here = a.add_guest(100, 1);
    let (one, other) = (b.add_guest(100, 9), c.add_guest(100, 9));
    let _server = lab.start_server();
    let one_announcer = b.announce(&[&one]);
    let _processes = [a.install(&[100], ""), c.announce(&[&other])];
    for address in one.addresses() {
        a.wait_for_route(100, address, &[b, c]);
    }
    for address in one.addresses() {
        let (at_one, at_other) = send_flows(&here, address, &one, &other);
        // By chance alone, 200 flows part worse than this once in 10^9 times.
        assert!(at_one >= 55 && at_other >= 55, "{address}: {at_one} and {at_other}");
    }
    one_announcer.kill();
    for address in one.addresses() {
        a.wait_for_route(100, address, &[c]);
        assert_eq!(send_flows(&here, address, &one, &other), (0, FLOWS), "{address}");
    }
}

const FLOWS: usize = 200;

/// Sends a datagram from each of many ports; how many reach each of two guests that both have the
/// address `to`.
fn send_flows(from: &Guest, to: IpAddr, one: &Guest, other: &Guest) -> (usize, usize) {
    let listen = |guest: &Guest| {
        let socket = at(guest.namespace(), || UdpSocket::bind((to, 7))).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let receivers = [listen(one), listen(other)];
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    // All are kept open, so that no port is used twice.
    let senders: Vec<_> =
        at(from.namespace(), || (0..FLOWS).map(|_| UdpSocket::bind(any).unwrap()).collect());
    let mut counts = [0; 2];
    let mut sent = 0;
    let deadline = Instant::now() + PATIENCE;
    // So many as a socket's buffer takes at a time.
    for senders in senders.chunks(50) {
        for sender in senders {
            sender.send_to(b"flow", (to, 7)).unwrap();
        }
        sent += senders.len();
        while counts[0] + counts[1] < sent {
            for (count, receiver) in counts.iter_mut().zip(&receivers) {
                while receiver.recv(&mut [0; 16]).is_ok() {
                    *count += 1;
                }
            }
            assert!(Instant::now() < deadline, "of {sent} flows there came {counts:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    (counts[0], counts[1])
}
