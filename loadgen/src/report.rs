//! What a run came to, for people and for programs.

use std::path::Path;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::ledger::Faults;
use crate::procfs::Usage;

/// One figure.
#[derive(Clone, Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

/// The figures of a run, in the order in which they should be read.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    /// The server.
    pub(crate) target: String,
    figures: Vec<Figure>,
    /// How long deliveries took, in nanoseconds, where the scenario measures that.
    pub(crate) latency: Option<Histogram<u64>>,
    pub(crate) faults: Faults,
}

/// The quantiles of latency that are told.
const QUANTILES: [(&str, f64); 5] = [
    ("latency, p50", 0.5),
    ("latency, p90", 0.9),
    ("latency, p99", 0.99),
    ("latency, p99.9", 0.999),
    ("latency, max", 1.0),
];

impl Report {
    pub(crate) fn new(scenario: &'static str, target: String) -> Self {
        Self { scenario, target, figures: Vec::new(), latency: None, faults: Faults::default() }
    }

    /// Adds a figure.
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        self.figures.push(Figure { name, value, unit });
    }

    /// Adds how long deliveries took.
    pub(crate) fn add_latency(&mut self, latency: Histogram<u64>) {
        for (name, quantile) in QUANTILES {
            self.add(name, latency.value_at_quantile(quantile) as f64 / 1e3, "us");
        }
        self.latency = Some(latency);
    }

    /// Adds what the server's CPU time comes to, for each of `count` things.
    pub(crate) fn add_cpu(&mut self, names: [&'static str; 3], used: Usage, count: f64) {
        let each = used.cpu_ns as f64 / count;
        self.add(names[0], each, "ns");
        self.add(names[1], each * used.user_share(), "ns");
        self.add(names[2], each * (1.0 - used.user_share()), "ns");
    }

    fn json(&self) -> Value {
        let figures = self.figures.iter().map(
            |figure| json!({ "name": figure.name, "value": figure.value, "unit": figure.unit }),
        );
        let faults = self.faults.named();
        let faults = faults.map(|(name, count)| (name.to_owned(), Value::from(count)));
        json!({
            "scenario": self.scenario,
            "target": self.target,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
            "figures": figures.collect::<Vec<_>>(),
            "faults": serde_json::Map::from_iter(faults),
        })
    }
}

/// Prints the report and writes it to a file, if there is one.
///
/// # Errors
/// One sentence, when the file can't be written or subscribers did not get what they should.
pub(crate) fn tell(report: &Report, file: Option<&Path>) -> Result<(), String> {
    println!("{} against {}", report.scenario, report.target);
    for Figure { name, value, unit } in &report.figures {
        let digits = if value.abs() < 10.0 { 3 } else { 1 };
        println!("  {name:<34} {value:>16.digits$} {unit}");
    }
    let faults: Vec<_> =
        report.faults.named().map(|(name, count)| format!("{name} {count}")).into();
    println!("  faults: {}", faults.join(", "));
    if let Some(file) = file {
        let text = format!("{:#}\n", report.json());
        std::fs::write(file, text)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    if report.faults.any() {
        return Err("subscribers did not get what they should".into());
    }
    Ok(())
}
