//! Rows as members of a JSON object.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{ByAction, Histogram, Rows, Value};

/// The rows that have a JSON name, in their order, as one object.
#[derive(Debug)]
pub(crate) struct Members(pub(crate) Rows);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        members(&mut map, &self.0)?;
        map.end()
    }
}

fn members<M: SerializeMap>(map: &mut M, rows: &Rows) -> Result<(), M::Error> {
    for (row, value) in rows {
        match (row.json, value) {
            (None, Value::Group(rows)) => members(map, rows)?,
            (None, _) => {}
            (Some(name), value) => map.serialize_entry(name, value)?,
        }
    }
    Ok(())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Switch(is_so) => is_so.serialize(serializer),
            Self::Time(time) => time.as_secs_f64().serialize(serializer),
            Self::ByAction(ByAction { adds, removes }) => {
                BTreeMap::from([("adds", adds), ("removes", removes)]).serialize(serializer)
            }
            Self::ByName(counts) => counts.serialize(serializer),
            // A number's label is its name.
            Self::Labelled(numbers) => {
                let name = |values: &Vec<String>| values.join(",");
                serializer
                    .collect_map(numbers.iter().map(|(values, number)| (name(values), number)))
            }
            Self::LabelledTimes(times) => {
                let one = |(values, time): &(Vec<String>, f64)| (values.join(","), *time);
                serializer.collect_map(times.iter().map(one))
            }
            Self::Histogram(histogram) => HistogramRow::from(&**histogram).serialize(serializer),
            Self::Group(rows) => {
                let mut map = serializer.serialize_map(None)?;
                members(&mut map, rows)?;
                map.end()
            }
        }
    }
}

/// The quantiles are interpolated; null without durations.
#[derive(Debug, Serialize)]
struct HistogramRow {
    count: u64,
    sum_seconds: f64,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
    p999_seconds: Option<f64>,
}

impl From<&Histogram> for HistogramRow {
    fn from(histogram: &Histogram) -> Self {
        let quantile = |share| histogram.quantile(share).map(|bound| bound.as_secs_f64());
        Self {
            count: histogram.count(),
            sum_seconds: histogram.sum().as_secs_f64(),
            p50_seconds: quantile(0.5),
            p99_seconds: quantile(0.99),
            p999_seconds: quantile(0.999),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Row;

    #[test]
    fn groups_are_objects_unless_they_have_no_name() {
        let inner = || Value::Group(vec![(Row::json("a"), Value::Number(1))]);
        let rows = vec![
            (Row::json("now"), inner()),
            (Row::new(), inner()),
            (Row::new(), Value::Number(7)),
            (Row::json("b"), Value::ByAction(ByAction { adds: 2, removes: 3 })),
        ];
        let text = serde_json::to_string(&Members(rows)).unwrap();
        assert_eq!(text, "{\"now\":{\"a\":1},\"a\":1,\"b\":{\"adds\":2,\"removes\":3}}");
    }
}
