//! Metrics.

use std::collections::HashMap;
use std::net::SocketAddr;

use metalbond::wire::{Extensions, Hello};

use crate::harness::client::modern_hello;
use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::promtool;
use crate::harness::{Client, ReflectorConfig, eventually, on_each_io, routes};

on_each_io!(
    metrics_are_exact_after_a_script,
    peers_are_told_apart_when_asked_for,
    families_stay_together_however_many_peers,
    promtool_has_no_complaints,
);

/// Samples by name and labels.
fn samples(http: SocketAddr, query: &str) -> HashMap<String, f64> {
    let answer = get(http, &format!("/metrics{query}"));
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    let samples = answer.body.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    samples.collect()
}

/// Waits until samples have values.
fn expect(http: SocketAddr, query: &str, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        eventually(&format!("{name} {value}"), || {
            samples(http, query).get(*name).is_some_and(|found| found == value)
        });
    }
}

fn metrics_are_exact_after_a_script(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(ReflectorConfig { max_peers: 3, ..config });
    let mut publisher = Client::establish(address);
    let mut subscribers = [(); 2].map(|()| Client::establish(address));
    let table = routes(1, 0..10, 1);
    for subscriber in &mut subscribers {
        subscriber.subscribe(1);
        subscriber.expect_end_of_table(1);
    }
    publisher.announce_all(&table);
    subscribers.iter_mut().for_each(|subscriber| subscriber.expect_view(&table));
    publisher.withdraw_all(&table[..4]);
    subscribers.iter_mut().for_each(|subscriber| subscriber.expect_view(&table[4..]));
    Client::connect(address).expect_closed();
    let [left, _right] = subscribers;
    drop(left);
    expect(
        http,
        "",
        &[
            ("metalbond_sessions_total{event=\"closed\",reason=\"peer_closed\"}", 1.0),
            ("metalbond_sessions_total{event=\"closed\",reason=\"hold_time\"}", 0.0),
            ("metalbond_sessions_total{event=\"opened\"}", 3.0),
            ("metalbond_sessions_total{event=\"established\"}", 3.0),
            ("metalbond_sessions_total{event=\"refused\",reason=\"max_peers\"}", 1.0),
            ("metalbond_limit_hits_total{limit=\"max_peers\"}", 1.0),
            ("metalbond_limit_hits_total{limit=\"max_routes_per_peer\"}", 0.0),
            ("metalbond_peers{state=\"established\"}", 2.0),
            ("metalbond_routes", 6.0),
            ("metalbond_vnis", 1.0),
            ("metalbond_subscriptions", 1.0),
            ("metalbond_updates_received_total{action=\"add\"}", 10.0),
            ("metalbond_updates_received_total{action=\"remove\"}", 4.0),
            ("metalbond_updates_sent_total{action=\"add\"}", 20.0),
            ("metalbond_updates_sent_total{action=\"remove\"}", 8.0),
            ("metalbond_dump_seconds_count", 2.0),
            ("metalbond_slow_peers", 0.0),
        ],
    );
    let samples = samples(http, "");
    let bucket = "metalbond_propagation_seconds_bucket{le=\"+Inf\"}";
    assert_eq!(samples[bucket], samples["metalbond_propagation_seconds_count"]);
    assert!(samples["metalbond_shard_loop_stall_seconds_count{shard=\"1\"}"] > 0.0);
    #[cfg(target_os = "linux")]
    {
        assert!(samples["process_resident_memory_bytes"] > 1e6);
        assert!(samples["process_open_fds"] < samples["process_max_fds"]);
        assert!(samples["process_cpu_seconds_total"] > 0.0);
        assert!(samples["process_start_time_seconds"] > 1.6e9);
    }
    assert!(!samples.keys().any(|name| name.starts_with("metalbond_peer_")));
}

/// A peer whose name would break a line if it could.
fn hostile() -> Hello {
    let Extensions { capabilities, .. } = modern_hello().extensions.unwrap();
    let extensions = Some(Extensions::new(capabilities, "{}=,", "a\"b\\c\nd"));
    Hello { extensions, ..modern_hello() }
}

fn peers_are_told_apart_when_asked_for(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::connect(address).shake_hands(hostile());
    client.announce_all(&routes(1, 0..3, 1));
    let peer = |name: &str, more: &str| format!("{name}{{peer=\"1\"{more}}}");
    expect(
        http,
        "?peers=1",
        &[
            (&peer("metalbond_peer_routes", ""), 3.0),
            (&peer("metalbond_peer_updates_received_total", ""), 3.0),
            (&peer("metalbond_peer_updates_sent_total", ",action=\"add\""), 0.0),
            (&peer("metalbond_peer_slow", ""), 0.0),
        ],
    );
    let text = get(http, "/metrics?peers=1").body;
    // A line break is replaced already when the HELLO is read.
    assert!(
        text.contains("peer=\"1\",node=\"a\\\"b\\\\c\u{fffd}d\",agent=\"{}=,\",remote="),
        "{text}"
    );
    assert_eq!(get(http, "/metrics?peers=yes").status, 400);
    assert_eq!(get(http, "/metrics?format=prometheus&peers=0").status, 200);
}

fn families_stay_together_however_many_peers(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let clients: Vec<_> = (0..300).map(|_| Client::establish(address)).collect();
    let text = get(http, "/metrics?peers=1").body;
    let mut names: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("metalbond_peer_"))
        .map(|line| line.split(['{', ' ']).next().unwrap())
        .collect();
    names.dedup();
    let headings = text.lines().filter(|line| line.starts_with("# TYPE metalbond_peer_"));
    let headings: Vec<_> = headings.map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(names, headings);
    for name in names {
        let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        let each = if name == "metalbond_peer_updates_sent_total" { 2 } else { 1 };
        assert_eq!(samples.count(), each * clients.len(), "{name}");
    }
    // Listings come in parts as well.
    for (limit, rows, is_last) in
        [(1, 1, false), (64, 64, false), (299, 299, false), (9999, 300, true)]
    {
        let page = get_json(http, &format!("/api/v1/peers?limit={limit}"));
        assert_eq!(page["rows"].as_array().unwrap().len(), rows, "{limit}");
        assert_eq!(page["next"].is_null(), is_last, "{limit}");
    }
}

fn promtool_has_no_complaints(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::connect(address).shake_hands(hostile());
    client.announce_all(&routes(1, 0..3, 1));
    let mut broken = Client::establish(address);
    broken.write(b"\0");
    broken.expect_closed();
    let invalid = "metalbond_invalid_messages_total{why=\"version\"}";
    expect(http, "", &[(invalid, 1.0), ("metalbond_routes", 3.0)]);
    let text = get(http, "/metrics?peers=1").body;
    promtool::has_no_complaints(&text);
}
