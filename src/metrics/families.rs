//! Rows as Prometheus' text: all samples of one name together, wherever they were counted.

use std::collections::BTreeMap;

use super::row::{Family, Row, RowKind};
use super::text::Text;
use super::{Histogram, Rows, Value};

/// Families in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Families(Vec<(Family, Vec<Sample>)>);

#[derive(Debug)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    number: Number,
}

#[derive(Debug)]
enum Number {
    Whole(u64),
    Seconds(f64),
    Histogram(Box<Histogram>),
}

impl Families {
    /// Adds rows of the whole process.
    pub(crate) fn add(&mut self, rows: Rows) {
        self.gather(rows, None);
    }

    /// Adds rows of one shard.
    pub(crate) fn add_shard(&mut self, shard: &str, rows: Rows) {
        self.gather(rows, Some(shard));
    }

    /// Writes all families. A family without samples has its heading alone, so that its name is known before, for
    /// example, the first site comes.
    pub(crate) fn write(self, text: &mut Text) {
        for (Family { name, help, kind }, samples) in self.0 {
            match kind {
                RowKind::Gauge => text.gauge(name, help),
                RowKind::Counter => text.counter(name, help),
                RowKind::Histogram => text.histogram(name, help),
            };
            for Sample { labels, number } in samples {
                let labels: Vec<_> =
                    labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                match number {
                    Number::Whole(number) => text.sample(&labels, number),
                    Number::Seconds(number) => text.sample(&labels, number),
                    Number::Histogram(histogram) => text.buckets(&labels, &histogram),
                };
            }
        }
    }

    fn gather(&mut self, rows: Rows, shard: Option<&str>) {
        for (row, value) in rows {
            match value {
                Value::Group(rows) => self.gather(rows, shard),
                value => {
                    let is_meant = row.is_per_shard == shard.is_some();
                    if let Some(family) = row.family.filter(|_| is_meant) {
                        self.samples(family).extend(samples(&row, value, shard));
                    }
                }
            }
        }
    }

    fn samples(&mut self, family: Family) -> &mut Vec<Sample> {
        let known = self.0.iter().position(|(known, _)| known.name == family.name);
        let place = known.unwrap_or_else(|| {
            self.0.push((family, Vec::new()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }
}

/// The samples of one row.
fn samples(row: &Row, value: Value, shard: Option<&str>) -> Vec<Sample> {
    let of_row = row.fixed.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let labels: Vec<_> =
        shard.map(|shard| ("shard", shard.to_owned())).into_iter().chain(of_row).collect();
    let sample = |own: Vec<String>, number| {
        let own = row.by.iter().copied().zip(own);
        Sample { labels: labels.iter().cloned().chain(own).collect(), number }
    };
    match value {
        Value::Number(number) => vec![sample(Vec::new(), Number::Whole(number))],
        Value::Switch(is_so) => vec![sample(Vec::new(), Number::Whole(is_so.into()))],
        Value::Time(time) => vec![sample(Vec::new(), Number::Seconds(time.as_secs_f64()))],
        Value::Histogram(histogram) => vec![sample(Vec::new(), Number::Histogram(histogram))],
        Value::ByAction(by) => [("add", by.adds), ("remove", by.removes)]
            .map(|(action, count)| sample(vec![action.to_owned()], Number::Whole(count)))
            .into(),
        Value::ByName(counts) => {
            let zeros = row.zeros.map(|names| names()).unwrap_or_default();
            let mut all: BTreeMap<_, _> = zeros.into_iter().map(|name| (name, 0)).collect();
            all.extend(counts);
            let one =
                |(name, count): (&str, _)| sample(vec![name.to_owned()], Number::Whole(count));
            all.into_iter().map(one).collect()
        }
        Value::Labelled(numbers) => numbers
            .into_iter()
            .map(|(values, number)| sample(values, Number::Whole(number)))
            .collect(),
        Value::LabelledTimes(times) => {
            times.into_iter().map(|(values, time)| sample(values, Number::Seconds(time))).collect()
        }
        Value::Group(_) => Vec::new(),
    }
}

/// The names of the metrics in alerts on leaves and in the dashboard of leaves, each as often as it is used.
#[cfg(test)]
pub(crate) fn asked_of_leaves() -> impl Iterator<Item = &'static str> + Clone {
    let alerts = include_str!("../../deploy/prometheus/alerts.yaml");
    let (_, alerts) = alerts.split_once("\n  - name: metalbond-leaves\n").unwrap();
    let dashboard = include_str!("../../deploy/grafana/leaves.json");
    let is_of_name = |character: char| character.is_ascii_lowercase() || character == '_';
    [alerts, dashboard]
        .into_iter()
        .flat_map(move |text| text.split(move |character| !is_of_name(character)))
        .filter(|word| word.starts_with("metalbond_"))
}

/// The form of each family in docs/http.md: its name with its labels, and its type.
#[cfg(test)]
pub(crate) fn documented(rows: Rows) -> Vec<(String, &'static str)> {
    let mut families: Vec<(Family, Vec<&str>)> = Vec::new();
    let mut waiting = rows;
    waiting.reverse();
    while let Some((row, value)) = waiting.pop() {
        if let Value::Group(rows) = value {
            waiting.extend(rows.into_iter().rev());
            continue;
        }
        let Some(family) = row.family else { continue };
        let of_row = row.fixed.iter().map(|(name, _)| *name).chain(row.by.iter().copied());
        let labels = row.is_per_shard.then_some("shard").into_iter().chain(of_row);
        match families.iter_mut().find(|(known, _)| known.name == family.name) {
            None => families.push((family, labels.collect())),
            Some((_, known)) => {
                for label in labels {
                    if !known.contains(&label) {
                        known.push(label);
                    }
                }
            }
        }
    }
    let row = |(Family { name, kind, .. }, labels): (Family, Vec<&str>)| {
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        (format!("{name}{labels}"), kind.name())
    };
    families.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_are_together() {
        let closed = BTreeMap::from([("reset", 2)]);
        let open = || Row::new().counter("s_total", "Sessions.").with(&[("event", "opened")]);
        let mut families = Families::default();
        families.add(vec![
            (open(), Value::Number(3)),
            (Row::new().gauge("g", "Something else."), Value::Switch(true)),
            (
                Row::new()
                    .counter("s_total", "Sessions.")
                    .with(&[("event", "closed")])
                    .by(&["reason"])
                    .zeros(|| vec!["denied"]),
                Value::ByName(closed),
            ),
            (Row::new().gauge("shard_g", "Of each.").per_shard(), Value::Number(1)),
        ]);
        families.add_shard(
            "0",
            vec![
                (open(), Value::Number(1)),
                (Row::new().gauge("shard_g", "Of each.").per_shard(), Value::Number(1)),
            ],
        );
        let mut text = Text::default();
        families.write(&mut text);
        let expected = "# HELP s_total Sessions.\n# TYPE s_total counter\n\
                        s_total{event=\"opened\"} 3\n\
                        s_total{event=\"closed\",reason=\"denied\"} 0\n\
                        s_total{event=\"closed\",reason=\"reset\"} 2\n\
                        # HELP g Something else.\n# TYPE g gauge\ng 1\n\
                        # HELP shard_g Of each.\n# TYPE shard_g gauge\nshard_g{shard=\"0\"} 1\n";
        assert_eq!(text.finish(), expected);
    }
}
