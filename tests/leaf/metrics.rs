//! What a leaf's metrics say of its routes in the kernel.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Lab, Leaf, PATIENCE, TUNNEL, at, table, wait_until};

/// In a namespace of the test's own every port is free.
const HTTP: &str = "127.0.0.1:9471";

/// The metrics of the leaf process in a leaf's namespace; empty while it does not answer yet.
fn metrics(leaf: &Leaf) -> String {
    at(leaf.namespace(), || {
        let Ok(mut socket) = TcpStream::connect(HTTP) else { return String::new() };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    })
}

fn wait_for_samples(leaf: &Leaf, samples: &[&str]) {
    let has_all = || {
        let metrics = metrics(leaf);
        samples.iter().all(|sample| metrics.lines().any(|line| line == *sample))
    };
    wait_until(&format!("{samples:?}"), || metrics(leaf), has_all);
}

#[test]
fn metrics_tell_how_routes_stand_with_the_kernel() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (taken, free) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let table = table(100);
    a.ip(&format!("-4 route add {} table {table} proto static dev {TUNNEL}", taken.v4()));
    let _server = lab.start_server();
    let _announcer = b.announce(&[&taken, &free]);
    let _installer = a.install(&[100], &format!("--http {HTTP}"));
    wait_for_samples(
        a,
        &[
            "metalbond_kernel_routes{state=\"desired\"} 4",
            "metalbond_kernel_routes{state=\"installed\"} 3",
            "metalbond_kernel_routes{state=\"conflict\"} 1",
            "metalbond_kernel_routes{state=\"refused\"} 0",
            "metalbond_kernel_device_up 1",
            "metalbond_kernel_repairs_total 0",
        ],
    );
    a.ip(&format!("-4 route delete {} table {table}", free.v4()));
    a.wait_for_route(100, free.v4(), &[b]);
    wait_for_samples(
        a,
        &["metalbond_kernel_repairs_total 1", "metalbond_kernel_routes{state=\"installed\"} 3"],
    );
    a.ip(&format!("link set {TUNNEL} down"));
    wait_for_samples(
        a,
        &["metalbond_kernel_device_up 0", "metalbond_kernel_routes{state=\"installed\"} 0"],
    );
}
