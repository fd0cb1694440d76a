//! One second of the reflector: what there is, and what happened since the sample before.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::shard::inspect::Metrics;

/// The counters of one moment.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) total: Metrics,
}

/// Names of what a sample holds, in order. Documented in docs/http.md.
const FIELDS: [&str; 19] = [
    "at_seconds",
    "is_draining",
    "stuck_shards",
    "peers",
    "vnis",
    "routes",
    "subscriptions",
    "behind",
    "slow_peers",
    "backlog_bytes",
    "updates_received_per_second",
    "updates_sent_per_second",
    "bytes_received_per_second",
    "bytes_sent_per_second",
    "propagation_count",
    "propagation_p50_seconds",
    "propagation_p99_seconds",
    "sessions_closed",
    "cpu_cores",
];

/// The names as JSON.
pub(super) fn fields() -> String {
    json!(FIELDS).to_string()
}

/// A sample as JSON. Without an answer in time all but the first three is null; without one before
/// it, what happened is.
pub(super) fn sample(
    before: Option<&Moment>,
    now: Option<&Moment>,
    stuck: usize,
    is_draining: bool,
) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut row = vec![json!(rounded(at.as_secs_f64(), 1e3)), json!(is_draining), json!(stuck)];
    if let Some(Moment { total, .. }) = now {
        let now = &total.now;
        let held = [now.established, now.vnis, now.routes, now.subscriptions];
        row.extend(held.map(Value::from));
        row.extend([now.behind, now.slow_peers, now.backlog].map(Value::from));
    }
    if let (Some(before), Some(now)) = (before, now) {
        happened(&mut row, before, now);
    }
    row.resize(FIELDS.len(), Value::Null);
    Value::from(row).to_string()
}

/// What happened between two moments.
fn happened(row: &mut Vec<Value>, before: &Moment, now: &Moment) {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
    let (old, new) = (&before.total, &now.total);
    let mut rate = |of: fn(&Metrics) -> u64| {
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let moved = of(new).saturating_sub(of(old)) as f64;
        row.push(json!(rounded(moved / seconds, 10.0)));
    };
    rate(|metrics| metrics.received.adds + metrics.received.removes);
    rate(|metrics| metrics.sent.adds + metrics.sent.removes);
    rate(|metrics| metrics.stats.bytes_received);
    rate(|metrics| metrics.stats.bytes_sent);
    let propagation = new.propagation.since(&old.propagation);
    row.push(json!(propagation.count()));
    let quantile = |share| propagation.quantile(share).map(|bound| bound.as_secs_f64());
    row.extend([quantile(0.5), quantile(0.99)].map(Value::from));
    let closed = |metrics: &Metrics| metrics.closed.values().sum::<u64>();
    row.push(json!(closed(new).saturating_sub(closed(old))));
    let busy = new.busy.saturating_sub(old.busy).as_secs_f64();
    row.push(json!(rounded(busy / seconds, 1e3)));
}

/// With so many parts to the whole kept.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(before: Option<&Moment>, now: Option<&Moment>) -> Value {
        let row: Vec<Value> = serde_json::from_str(&sample(before, now, 0, true)).unwrap();
        assert_eq!(row.len(), FIELDS.len());
        FIELDS.iter().map(ToString::to_string).zip(row).collect()
    }

    #[test]
    fn rates_are_per_second_and_quantiles_of_that_second() {
        let mut before = Moment { at: Instant::now(), total: Metrics::default() };
        before.total.propagation.record(Duration::from_secs(1));
        let mut now =
            Moment { at: before.at + Duration::from_secs(2), total: before.total.clone() };
        now.total.received.adds = 7;
        now.total.now.routes = 5;
        now.total.propagation.record(Duration::from_micros(20));
        let row = of(Some(&before), Some(&now));
        assert_eq!(row["updates_received_per_second"], 3.5);
        assert_eq!(row["routes"], 5);
        assert_eq!(row["propagation_count"], 1);
        assert_eq!(row["propagation_p99_seconds"], 32e-6);
        assert_eq!(row["is_draining"], true);
    }

    #[test]
    fn what_is_not_known_is_null() {
        let now = Moment { at: Instant::now(), total: Metrics::default() };
        let first = of(None, Some(&now));
        assert_eq!(first["routes"], 0);
        assert!(first["updates_sent_per_second"].is_null());
        let late = of(Some(&now), None);
        assert!(late["routes"].is_null() && late["cpu_cores"].is_null());
        assert_eq!(late["stuck_shards"], 0);
    }
}
