//! What a leaf's metrics and API say of its routes in the kernel.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{Lab, Leaf, PATIENCE, TUNNEL, at, table, wait_until};

/// In a namespace of the test's own every port is free.
const HTTP: &str = "127.0.0.1:9471";
const DOCUMENT: &str = include_str!("../../docs/http.md");

/// An answer of the leaf process in a leaf's namespace; empty while it does not answer yet.
fn ask(leaf: &Leaf, path: &str) -> String {
    at(leaf.namespace(), || {
        let Ok(mut socket) = TcpStream::connect(HTTP) else { return String::new() };
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    })
}

fn metrics(leaf: &Leaf) -> String {
    ask(leaf, "/metrics")
}

/// What the API says of the kernel; it has the members that its documentation shows.
fn kernel(leaf: &Leaf) -> Value {
    let answer = ask(leaf, "/api/v1/kernel");
    let real: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let (_, example) = DOCUMENT.split_once("Of a leaf, `GET /api/v1/kernel`\n\n```json\n").unwrap();
    let example: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&real), members(&example));
    real
}

fn wait_for_samples(leaf: &Leaf, samples: &[&str]) {
    let has_all = || {
        let metrics = metrics(leaf);
        samples.iter().all(|sample| metrics.lines().any(|line| line == *sample))
    };
    wait_until(&format!("{samples:?}"), || metrics(leaf), has_all);
}

#[test]
fn metrics_and_api_tell_how_routes_stand_with_the_kernel() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (taken, free) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let table = table(100);
    a.ip(&format!("-4 route add {} table {table} proto static dev {TUNNEL}", taken.v4()));
    let _server = lab.start_server();
    let _announcer = b.announce(&[&taken, &free]);
    let _unusable = b.client(&format!(
        "--announce 100#10.1.0.0/16#192.0.2.1,100#10.2.0.0/16#192.0.2.1,100#10.2.0.0/16#{}",
        a.underlay()
    ));
    let _installer = a.install(&[100], &format!("--http {HTTP}"));
    wait_for_samples(
        a,
        &[
            "metalbond_kernel_routes{state=\"desired\"} 4",
            "metalbond_kernel_routes{state=\"installed\"} 3",
            "metalbond_kernel_routes{state=\"conflict\"} 1",
            "metalbond_kernel_routes{state=\"refused\"} 0",
            "metalbond_kernel_unusable_routes{reason=\"ipv4\"} 2",
            "metalbond_kernel_unusable_routes{reason=\"own_address\"} 1",
            "metalbond_kernel_unusable_routes{reason=\"link_local\"} 0",
            "metalbond_kernel_device_up 1",
            "metalbond_kernel_repairs_total 0",
        ],
    );
    let status = kernel(a);
    let counts = ["desired", "installed", "conflicts", "refused"].map(|name| status[name].clone());
    assert_eq!(counts, [4, 3, 1, 0].map(|count| json!(count)));
    assert_eq!(status["device_up"], true);
    assert_eq!(
        (&status["unusable"]["ipv4"], &status["unusable"]["own_address"]),
        (&json!(2), &json!(1))
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
    assert_eq!(kernel(a)["device_up"], false);
}
