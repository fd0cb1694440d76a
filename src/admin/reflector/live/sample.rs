//! One second of the reflector: what there is, and what happened since the sample before.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::metrics::{live_names, live_sample};
use crate::shard::inspect::Metrics;

/// The counters of one moment.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) at: Instant,
    pub(super) total: Metrics,
}

/// The names of a sample's values other than counters, in order.
const FIELDS: [&str; 3] = ["at_seconds", "is_draining", "stuck_shards"];

/// The names of all values of a sample, in order. Documented in docs/http.md.
fn names() -> Vec<&'static str> {
    FIELDS.into_iter().chain(live_names(&Metrics::default().rows())).collect()
}

/// The names as JSON.
pub(super) fn fields() -> String {
    json!(names()).to_string()
}

/// A sample as JSON. Without an answer in time all but the first three values are null; without an
/// earlier answer, the rates are null.
pub(super) fn sample(
    before: Option<&Moment>,
    now: Option<&Moment>,
    stuck: usize,
    is_draining: bool,
) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = (at.as_secs_f64() * 1e3).round() / 1e3;
    let mut row = vec![json!(at), json!(is_draining), json!(stuck)];
    if let Some(now) = now {
        let before = before.map(|before| (before.total.rows(), now.at.duration_since(before.at)));
        let before = before.as_ref().map(|(rows, took)| (rows, *took));
        row.extend(live_sample(&now.total.rows(), before));
    }
    row.resize(names().len(), Value::Null);
    Value::from(row).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(before: Option<&Moment>, now: Option<&Moment>) -> Value {
        let row: Vec<Value> = serde_json::from_str(&sample(before, now, 0, true)).unwrap();
        assert_eq!(row.len(), names().len());
        names().iter().map(ToString::to_string).zip(row).collect()
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
        // One between 16 and 32 us.
        assert_eq!(row["propagation_p50_seconds"], 24e-6);
        assert_eq!(row["propagation_p99_seconds"], 31.84e-6);
        assert_eq!(row["is_draining"], true);
    }

    /// The page and docs/http.md rely on these fields.
    #[test]
    fn the_documentation_shows_the_fields() {
        let page = include_str!("../../../../docs/http.md");
        let (_, example) = page.split_once("\"fields\": ").unwrap();
        let (example, _) = example.split_once(']').unwrap();
        let shown: Vec<String> = serde_json::from_str(&format!("{example}]")).unwrap();
        assert_eq!(shown, names());
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
