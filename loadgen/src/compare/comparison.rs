//! What a comparison came to.

use serde_json::{Map, Value, json};

use super::contender::Contender;
use crate::report::text::number;

/// The servers by whose figures the others' are divided, if they take part.
const REFERENCES: [&str; 2] = ["repeater", "rustbond"];

/// The reports of all runs.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    scenario: &'a [String],
    contenders: &'a [Contender],
    /// The reports of each server's rounds.
    runs: Vec<Vec<Value>>,
    /// The servers of the runs, in the order of the runs.
    order: Vec<usize>,
}

/// The values of a figure over the rounds.
#[derive(Clone, PartialEq, Debug)]
struct Spread {
    /// In the order of the rounds.
    values: Vec<f64>,
    least: f64,
    median: f64,
    greatest: f64,
}

/// The result of an expected limit.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) text: String,
    pub(super) value: f64,
    pub(super) limit: f64,
    pub(super) holds: bool,
}

impl Spread {
    fn of(values: Vec<f64>) -> Option<Self> {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[half - 1], sorted[half]),
            _ => sorted[half],
        };
        Some(Self { values, least, median, greatest })
    }
}

impl<'a> Comparison<'a> {
    pub(super) fn new(scenario: &'a [String], contenders: &'a [Contender]) -> Self {
        Self { scenario, contenders, runs: vec![Vec::new(); contenders.len()], order: Vec::new() }
    }

    /// Takes the report of a run.
    pub(super) fn add(&mut self, index: usize, report: Value) {
        self.runs[index].push(report);
        self.order.push(index);
    }

    /// The median of a server's figure.
    pub(super) fn median(&self, index: usize, name: &str) -> Option<f64> {
        self.spread(index, name).map(|spread| spread.median)
    }

    /// The unit of a figure that at least one server has.
    pub(super) fn unit(&self, name: &str) -> Option<String> {
        let figure = self.figures().into_iter().find(|figure| figure["name"] == name)?;
        figure["unit"].as_str().map(str::to_owned)
    }

    fn spread(&self, index: usize, name: &str) -> Option<Spread> {
        let value = |report: &Value| {
            let figures = report["figures"].as_array()?;
            let is_it = |figure: &&Value| figure["name"] == name && figure["part"] != true;
            figures.iter().find(is_it)?["value"].as_f64()
        };
        // A figure missing in one run has no median.
        Spread::of(self.runs[index].iter().map(value).collect::<Option<_>>()?)
    }

    /// All figures that at least one server has, without parts of other figures.
    fn figures(&self) -> Vec<&Value> {
        let mut found: Vec<&Value> = Vec::new();
        let reports = self.runs.iter().filter_map(|runs| runs.first());
        for figure in reports.filter_map(|report| report["figures"].as_array()).flatten() {
            let is_new = found.iter().all(|other| other["name"] != figure["name"]);
            if is_new && figure["part"] != true {
                found.push(figure);
            }
        }
        found
    }

    /// The names of all figures.
    pub(super) fn names(&self) -> Vec<&str> {
        self.figures().iter().filter_map(|figure| figure["name"].as_str()).collect()
    }

    fn references(&self) -> Vec<(&'static str, usize)> {
        let place = |name| self.contenders.iter().position(|contender| contender.name == name);
        REFERENCES.iter().filter_map(|name| Some((*name, place(*name)?))).collect()
    }

    /// The text for people: a table for each key figure, and the results of expectations.
    pub(super) fn text(&self, outcomes: &[Outcome]) -> String {
        let rounds = self.runs.first().map_or(0, Vec::len);
        let references = self.references();
        let mut out = format!("\n{}: {rounds} interleaved rounds\n", self.scenario.join(" "));
        let figures = self.figures();
        let longest = self.contenders.iter().map(|contender| contender.name.len()).max();
        let titles = figures.iter().filter_map(|figure| figure["name"].as_str()).map(str::len);
        let width = titles.max().unwrap_or(0).max(longest.unwrap_or(0)) + 6;
        for figure in figures.into_iter().filter(|figure| figure["key"] == true) {
            let name = figure["name"].as_str().unwrap_or_default();
            let title = format!("{name}, {}", figure["unit"].as_str().unwrap_or_default());
            let title = title.trim_end_matches(", ");
            let mut head =
                format!("\n{title:<width$}{:>12}{:>16}{:>16}    ", "median", "least", "most");
            for (reference, _) in &references {
                head += &format!("{:>14}", format!("/ {reference}"));
            }
            out += &head;
            out.push('\n');
            for (index, contender) in self.contenders.iter().enumerate() {
                let Some(spread) = self.spread(index, name) else { continue };
                let mut row = format!("  {:<1$}", contender.name, width - 2);
                for value in [spread.median, spread.least, spread.greatest] {
                    row += &number(value);
                }
                for (_, reference) in &references {
                    let base = self.median(*reference, name).unwrap_or(f64::NAN);
                    row += &ratio(spread.median / base);
                }
                out += row.trim_end();
                out.push('\n');
            }
        }
        if !outcomes.is_empty() {
            out += "\nexpected:\n";
        }
        for Outcome { text, value, limit, holds } in outcomes {
            let word = if *holds { "yes" } else { "NO " };
            out += &format!("  {word} {text}  (is {value:.1}, limit {limit:.1})\n");
        }
        out
    }

    /// The JSON for programs; README.md describes it.
    pub(super) fn json(&self, outcomes: &[Outcome]) -> Value {
        let first = self.runs.first().and_then(|runs| runs.first());
        let targets = (0..self.contenders.len()).map(|index| self.target(index));
        let name = |index: &usize| self.contenders[*index].name.as_str();
        let expectations = outcomes.iter().map(|outcome| {
            let Outcome { text, value, limit, holds } = outcome;
            json!({ "text": text, "value": value, "limit": limit, "holds": holds })
        });
        json!({
            "kind": "compare",
            "scenario": self.scenario.join(" "),
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
            "rounds": self.runs.first().map_or(0, Vec::len),
            "order": self.order.iter().map(name).collect::<Vec<_>>(),
            "machine": first.map(|report| report["machine"].clone()),
            "targets": targets.collect::<Vec<_>>(),
            "expectations": expectations.collect::<Vec<_>>(),
            "verified": true, // a failed verification ends the comparison
        })
    }

    fn target(&self, index: usize) -> Value {
        let contender = &self.contenders[index];
        let figures = self.figures().into_iter().filter_map(|figure| {
            let name = figure["name"].as_str()?;
            let spread = self.spread(index, name)?;
            let ratios = self.references().into_iter().filter_map(|(reference, base)| {
                let ratio = spread.median / self.median(base, name)?;
                Some((reference.to_owned(), Value::from(ratio)))
            });
            let ratios = ratios.collect::<Map<_, _>>();
            Some(json!({
                "name": name,
                "unit": figure["unit"],
                "key": figure["key"],
                "median": spread.median,
                "least": spread.least,
                "most": spread.greatest,
                "values": spread.values,
                "ratios": ratios,
            }))
        });
        json!({
            "name": contender.name,
            "arguments": contender.arguments,
            "figures": figures.collect::<Vec<_>>(),
            "latency": self.latency(index),
        })
    }

    /// The median over the rounds of each quantile that all rounds have.
    fn latency(&self, index: usize) -> Option<Value> {
        let curves =
            self.runs[index].iter().map(|report| report["latency"]["percentiles"].as_array());
        let curves: Vec<_> = curves.collect::<Option<_>>()?;
        // The greatest value is last, after as many others as a run had values for.
        let shared = curves.iter().map(|curve| curve.len().saturating_sub(1)).min()?;
        let point = |points: Vec<&Value>| {
            let values = points.iter().map(|point| point["us"].as_f64()).collect::<Option<_>>()?;
            let us = Spread::of(values)?.median;
            Some(json!({ "quantile": points.first()?["quantile"], "us": us }))
        };
        let mut percentiles: Vec<_> = (0..shared)
            .filter_map(|at| point(curves.iter().map(|curve| &curve[at]).collect()))
            .collect();
        percentiles.extend(point(curves.iter().filter_map(|curve| curve.last()).collect()));
        Some(json!({ "percentiles": percentiles }))
    }
}

/// A ratio in 14 columns, with three significant digits.
pub(super) fn ratio(ratio: f64) -> String {
    let digits = match ratio {
        100.0.. => 0,
        10.0.. => 1,
        0.995.. => 2,
        0.0995.. => 3,
        _ => 4,
    };
    format!("{ratio:>14.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{Spread, ratio};

    #[test]
    fn ratios_have_three_digits() {
        let shown = [0.0123, 0.123, 1.0, 12.34, 1234.0].map(ratio);
        let shown = shown.iter().map(|text| text.trim_start());
        assert!(shown.eq(["0.0123", "0.123", "1.00", "12.3", "1234"]));
    }

    #[test]
    fn medians_are_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.to_vec()).unwrap();
        assert_eq!(spread(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let Spread { least, greatest, values, .. } = spread(&[3.0, 1.0, 2.0]);
        assert_eq!((least, greatest, values), (1.0, 3.0, vec![3.0, 1.0, 2.0]));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
