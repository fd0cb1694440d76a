//! `docs/http.md` says what is so: its examples have the shape of real answers, and it names the
//! metrics that there are.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metalbond::policy::Policy;
use serde_json::Value;

use crate::harness::client::hello_of;
use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{Client, Reflector, ReflectorConfig, eventually, on_each_io, route};

on_each_io!(examples_have_the_shape_of_answers, every_metric_is_named);

const DOCUMENT: &str = include_str!("../../../docs/http.md");

/// Has something blocked, which only the control socket takes.
fn block(socket: &Path) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let path = "/control/v1/block?prefix=192.0.2.0/24&vni=7&time=2h";
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// What the examples are about: peer 1 announces to VNI 100, peer 2 subscribes to it, one has gone
/// and one has said something wrong; an operator has blocked a prefix. A policy reports what peer 1 announces.
fn scene(mut config: ReflectorConfig) -> (Reflector, SocketAddr, [Client; 2]) {
    let policy = "[[policy.class]]\nname = \"default\"\nannounce = []\nverdict = \"warn\"\n";
    config.settings.policy = Arc::new(Policy::read(policy).unwrap());
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("metalbond-examples-{}-{number}.sock", std::process::id());
    let socket = std::env::temp_dir().join(name); // the reflector removes it
    config.control = Some(socket.clone());
    let (reflector, address, http) = start_with_http(config);
    block(&socket);
    let node = |name: &str| Client::connect(address).shake_hands(hello_of(name));
    let [mut one, mut two] = ["host-1", "host-2"].map(node);
    one.announce(&route(100, 1, 1));
    two.subscribe(100);
    two.expect_view(&[route(100, 1, 1)]);
    drop(node("host-3"));
    let mut broken = Client::establish(address);
    broken.write(b"\0");
    broken.expect_closed();
    eventually("everything to be counted", || {
        let counters = get_json(http, "/api/v1/counters");
        counters["sessions_closed"].as_object().unwrap().len() == 2
            && counters["now"]["established"] == 2
            && counters["dumps"]["count"] == 1
            && counters["updates_sent"]["adds"] == 1
    });
    (reflector, http, [one, two])
}

/// Members whose own members are names of what has happened so far.
const COUNTS: [&str; 8] = [
    "sessions_closed",
    "invalid_messages",
    "messages_skipped",
    "limit_hits",
    "policy_refused",
    "growth_refused",
    "limit_warnings",
    "tls_handshakes",
];

/// Paths and the JSON that follows them.
fn examples() -> Vec<(&'static str, Value)> {
    let parts = DOCUMENT.split("\n`GET ").skip(1);
    let example = |part: &'static str| {
        let (path, rest) = part.split_once('`').unwrap();
        let (_, rest) = rest.split_once("```").unwrap();
        let (json, _) = rest.strip_prefix("json\n")?.split_once("```").unwrap();
        Some((path, serde_json::from_str(json).unwrap_or_else(|error| panic!("{path}: {error}"))))
    };
    parts.filter_map(example).collect()
}

/// Whether a value has the members and types of another. Null is the same as anything.
fn expect_shape(path: &str, real: &Value, example: &Value) {
    match (real, example) {
        // By name of what happened.
        (Value::Object(real), Value::Object(_))
            if COUNTS.iter().any(|name| path.ends_with(name)) =>
        {
            assert!(real.values().all(Value::is_u64), "{path}");
        }
        (Value::Object(real), Value::Object(example)) => {
            let (left, right): (BTreeSet<_>, BTreeSet<_>) =
                (real.keys().collect(), example.keys().collect());
            assert_eq!(left, right, "{path}: members that there are, and in the example");
            for (name, value) in real {
                expect_shape(&format!("{path} {name}"), value, &example[name]);
            }
        }
        // A sample: each of its places means something else.
        (Value::Array(real), Value::Array(example))
            if path.ends_with(" samples") && !example[0].is_array() =>
        {
            assert_eq!(real.len(), example.len(), "{path}");
            for (value, example) in real.iter().zip(example) {
                expect_shape(path, value, example);
            }
        }
        (Value::Array(real), Value::Array(example)) => {
            assert_eq!(real.is_empty(), example.is_empty(), "{path}");
            for value in real {
                expect_shape(path, value, &example[0]);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (real, example) => {
            let (left, right) = (std::mem::discriminant(real), std::mem::discriminant(example));
            assert_eq!(left, right, "{path}: {real} for {example}");
        }
    }
}

fn examples_have_the_shape_of_answers(config: ReflectorConfig) {
    let (_reflector, http, _clients) = scene(config);
    let examples = examples();
    assert!(examples.len() >= 15, "{}", examples.len());
    for (path, example) in examples {
        expect_shape(path, &get_json(http, path), &example);
    }
}

fn every_metric_is_named(config: ReflectorConfig) {
    let (_reflector, http, _clients) = scene(config);
    let text = get(http, "/metrics?peers=1").body;
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families: BTreeSet<_> = families.map(|line| line.split(' ').next().unwrap()).collect();
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.filter_map(|row| row.split(['`', '{']).next());
    // Those of federation and of a proxy are told where there is one.
    let elsewhere = ["metalbond_federation_", "metalbond_proxy_"];
    let is_metric = |name: &&str| {
        (name.starts_with("metalbond_") || name.starts_with("process_"))
            && !elsewhere.iter().any(|begin| name.starts_with(begin))
    };
    let named: BTreeSet<_> = named.filter(is_metric).collect();
    #[cfg(target_os = "linux")]
    assert_eq!(families, named, "metrics that there are, and in the documentation");
    #[cfg(not(target_os = "linux"))]
    assert!(families.is_subset(&named));
}
