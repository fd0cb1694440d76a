//! Health.

use std::num::NonZeroU32;

use metalbond::ids::ShardId;
use serde_json::{Value, json};

use crate::harness::http::{get, get_json, request, start_with_http};
use crate::harness::{ReflectorConfig, Standstill, eventually, on_each_io};

on_each_io!(
    a_running_reflector_lives_and_is_ready,
    one_that_drains_lives_and_is_not_ready,
    one_of_which_a_shard_stands_still_does_not_live,
    who_asks_a_shard_that_stands_still_is_told_so,
    a_shard_that_was_late_says_so_afterwards,
);

fn a_running_reflector_lives_and_is_ready(config: ReflectorConfig) {
    let (_reflector, _, http) = start_with_http(config);
    for path in ["/livez", "/readyz", "/healthz", "/health"] {
        let answer = get(http, path);
        assert_eq!((answer.status, &*answer.body), (200, "ok\n"), "{path}");
    }
    assert_eq!(request(http, "HEAD", "/livez").status, 200);
    assert_eq!(request(http, "POST", "/livez").status, 405);
    assert_eq!(get(http, "/nonsense").status, 404);
}

fn one_that_drains_lives_and_is_not_ready(config: ReflectorConfig) {
    let (reflector, _, http) = start_with_http(config);
    let inspector = reflector.inspector();
    inspector.drain(NonZeroU32::MIN);
    let answer = get(http, "/readyz");
    assert_eq!((answer.status, &*answer.body), (503, "draining\n"));
    assert_eq!(get(http, "/livez").status, 200);
    inspector.undrain();
    assert_eq!(get(http, "/readyz").status, 200);
}

fn one_of_which_a_shard_stands_still_does_not_live(config: ReflectorConfig) {
    let (reflector, address, http) = start_with_http(config);
    let standstill = Standstill::begin(address);
    eventually("it is noticed", || get(http, "/livez").status == 503);
    let stuck = reflector.inspector().stuck();
    assert_eq!(get(http, "/livez").body, format!("stuck shards: {}\n", stuck[0].0));
    assert_eq!(stuck.len(), 1, "the other one goes on");
    drop(standstill);
    eventually("it lives again", || get(http, "/livez").status == 200);
}

fn who_asks_a_shard_that_stands_still_is_told_so(config: ReflectorConfig) {
    let (reflector, address, http) = start_with_http(config);
    let inspector = reflector.inspector();
    let standstill = Standstill::begin(address);
    eventually("it is noticed", || inspector.stuck().len() == 1);
    let stuck = inspector.stuck()[0];
    let shards = get_json(http, "/api/v1/shards");
    for (shard, row) in (0..).map(ShardId).zip(shards.as_array().unwrap()) {
        assert_eq!(row["is_stuck"], shard == stuck);
        assert_eq!(row["now"].is_object(), shard != stuck, "{row}");
    }
    // What needs the other shards only is told, and what this one counted is not forgotten.
    let stands = format!("\nmetalbond_shard_stuck{{shard=\"{}\"}} 1\n", stuck.0);
    let metrics = get(http, "/metrics");
    assert!(metrics.status == 200 && metrics.body.contains(&stands), "{}", metrics.body);
    let answer = get(http, "/api/v1/limits");
    let sentence = format!("no answer, because shards stand still: {stuck}");
    assert_eq!((answer.status, answer.json()), (503, json!({"error": sentence})));
    drop(standstill);
    eventually("it answers again", || get(http, "/api/v1/limits").status == 200);
    let goes = stands.replace(" 1\n", " 0\n");
    eventually("it turns again", || get(http, "/metrics").body.contains(&goes));
}

fn a_shard_that_was_late_says_so_afterwards(config: ReflectorConfig) {
    let (reflector, address, http) = start_with_http(config);
    let inspector = reflector.inspector();
    let standstill = Standstill::begin(address);
    // After two seconds: its tick is late by one and a half.
    eventually("it is noticed", || inspector.stuck().len() == 1);
    let late = usize::from(inspector.stuck()[0].0);
    drop(standstill);
    let ticks = |shards: &Value| shards[late]["late_ticks"].as_u64();
    eventually("it is counted", || {
        let shards = get_json(http, "/api/v1/shards");
        ticks(&shards).is_some_and(|ticks| ticks >= 1)
    });
    let metric = format!("metalbond_shard_late_ticks_total{{shard=\"{late}\"}} ");
    let metrics = get(http, "/metrics").body;
    let (_, count) = metrics.split_once(&metric).unwrap();
    assert!(!count.starts_with('0'), "{metrics}");
}
