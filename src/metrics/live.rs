//! Rows as a sample of one second.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Live, Row, Rows, Value};

/// The names of a sample's values, in order.
pub(crate) fn names(rows: &Rows) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (row, _) in flat(rows) {
        match row.live {
            None => {}
            Some(Live::Quantiles(three)) => names.extend(three),
            Some(Live::Now(name) | Live::Rate(name) | Live::Count(name) | Live::Share(name)) => {
                names.push(name);
            }
        }
    }
    names
}

/// The values of a sample: present numbers always; rates and counts if there is an earlier sample and its age is
/// known, else null.
pub(crate) fn sample(now: &Rows, before: Option<(&Rows, Duration)>) -> Vec<Json> {
    let mut values = Vec::new();
    let olds = before.map(|(rows, _)| flat(rows)).unwrap_or_default();
    let seconds = before.map_or(1.0, |(_, took)| took.as_secs_f64().max(1e-3));
    for (index, (row, value)) in flat(now).into_iter().enumerate() {
        let old = olds.get(index).map(|(_, value)| *value);
        let rate = |old| json!(rounded(moved(old, value) as f64 / seconds, 10.0));
        match row.live {
            None => {}
            Some(Live::Now(_)) => values.push(json!(total(value))),
            Some(Live::Rate(_)) => values.push(old.map_or(Json::Null, rate)),
            Some(Live::Count(_)) => {
                values.push(old.map_or(Json::Null, |old| json!(moved(old, value))));
            }
            Some(Live::Share(_)) => values.push(old.map_or(Json::Null, |old| {
                json!(rounded(spent(old, value).as_secs_f64() / seconds, 1e3))
            })),
            Some(Live::Quantiles(_)) => values.extend(quantiles(old, value)),
        }
    }
    values
}

/// Rows without their groups.
fn flat(rows: &Rows) -> Vec<(&Row, &Value)> {
    let mut all = Vec::new();
    for (row, value) in rows {
        match value {
            Value::Group(rows) => all.extend(flat(rows)),
            value => all.push((row, value)),
        }
    }
    all
}

/// The sum of all numbers of a value, whatever their labels.
fn total(value: &Value) -> u64 {
    match value {
        Value::Number(number) => *number,
        Value::ByAction(by) => by.adds + by.removes,
        Value::ByName(counts) => counts.values().sum(),
        Value::Labelled(numbers) => numbers.iter().map(|(_, number)| number).sum(),
        Value::Histogram(histogram) => histogram.count(),
        Value::Switch(is_so) => (*is_so).into(),
        Value::Time(_) | Value::LabelledTimes(_) | Value::Group(_) => 0,
    }
}

fn moved(old: &Value, new: &Value) -> u64 {
    total(new).saturating_sub(total(old))
}

fn spent(old: &Value, new: &Value) -> Duration {
    match (old, new) {
        (Value::Time(old), Value::Time(new)) => new.saturating_sub(*old),
        _ => Duration::ZERO,
    }
}

fn quantiles(old: Option<&Value>, new: &Value) -> [Json; 3] {
    let (Some(Value::Histogram(old)), Value::Histogram(new)) = (old, new) else {
        return [Json::Null, Json::Null, Json::Null];
    };
    let second = new.since(old);
    let quantile = |share| json!(second.quantile(share).map(|bound| bound.as_secs_f64()));
    [json!(second.count()), quantile(0.5), quantile(0.99)]
}

/// Rounds to `parts` parts of one.
fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
