//! What a run came to: [`text`] for people, [`machine readable`](json) and as a [`page`].

mod json;
pub(crate) mod page;
pub(crate) mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use hdrhistogram::Histogram;

use crate::common::Common;
use crate::ledger::Faults;
use crate::live::Timeline;
use crate::procfs::Usage;
use crate::target::Target;

/// What figures that a run is judged by begin with, in the order in which they should be read.
const KEYS: [&str; 9] = [
    "delivered updates per second",
    "routes per second",
    "server CPU per",
    "resident memory per",
    "server memory",
    "latency",
    "baseline",
    "time until all views",
    "sessions set up per second",
];

/// One figure.
#[derive(Clone, Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    /// The server.
    pub(crate) target: String,
    /// Whether the server's process is known; if not there are no figures about it.
    knows_server: bool,
    /// All flags and what they were.
    parameters: Vec<(String, String)>,
    figures: Vec<Figure>,
    /// How long deliveries took, in nanoseconds, where the scenario measures that.
    pub(crate) latency: Option<Histogram<u64>>,
    timeline: Timeline,
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
    pub(crate) fn new(scenario: &'static str, target: &Target, common: &Common) -> Self {
        Self {
            scenario,
            target: target.name.clone(),
            knows_server: target.pid.is_some(),
            parameters: common.parameters.clone(),
            figures: Vec::new(),
            latency: None,
            timeline: Timeline::default(),
            faults: Faults::default(),
        }
    }

    /// Adds a figure. One about the server's process (its name says `server` or `resident`) is left
    /// out when that is not known.
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        let is_of_server = name.contains("server") || name.starts_with("resident");
        if self.knows_server || !is_of_server {
            self.figures.push(Figure { name, value, unit });
        }
    }

    /// Adds how long deliveries took, if any.
    pub(crate) fn add_latency(&mut self, latency: Histogram<u64>) {
        if latency.is_empty() {
            return; // zeros would look like times
        }
        for (name, quantile) in QUANTILES {
            self.add(name, latency.value_at_quantile(quantile) as f64 / 1e3, "us");
        }
        self.latency = Some(latency);
    }

    /// Adds what the server's CPU time comes to, for each of `count` things. The second and the
    /// third name, of its parts, begin with spaces.
    pub(crate) fn add_cpu(&mut self, names: [&'static str; 3], used: Usage, count: f64) {
        if self.knows_server {
            let each = used.cpu_ns as f64 / count;
            self.add(names[0], each, "ns");
            self.add(names[1], each * used.user_share(), "ns");
            self.add(names[2], each * (1.0 - used.user_share()), "ns");
        }
    }

    /// Adds what was seen all along, and the server's resident memory at the end.
    pub(crate) fn add_timeline(&mut self, timeline: Timeline, resident: u64) {
        let seen = timeline.samples.iter().map(|sample| sample.resident).max();
        let peak = seen.unwrap_or(0).max(resident);
        self.add("server memory, peak", peak as f64 / 1e6, "MB");
        self.add("server memory, at the end", resident as f64 / 1e6, "MB");
        self.timeline = timeline;
    }

    /// The figures in the order in which they should be read, and whether each is a key figure.
    /// Parts, whose names begin with spaces, stay behind what they are parts of.
    fn ordered(&self) -> Vec<(bool, &Figure)> {
        let mut rank = KEYS.len();
        let mut ranked: Vec<_> = (self.figures.iter())
            .map(|figure| {
                let is_part = figure.name.starts_with(' ');
                if !is_part {
                    let key = KEYS.iter().position(|key| figure.name.starts_with(key));
                    rank = key.unwrap_or(KEYS.len());
                }
                (rank, is_part, figure)
            })
            .collect();
        ranked.sort_by_key(|(rank, ..)| *rank); // stable
        let keyed = ranked.into_iter();
        keyed.map(|(rank, is_part, figure)| (rank < KEYS.len() && !is_part, figure)).collect()
    }
}

/// Prints the report and writes it to the files that are asked for.
///
/// # Errors
/// One sentence, when a file can't be written or subscribers did not get what they should.
pub(crate) fn tell(report: &Report, common: &Common) -> Result<(), String> {
    show(&text::run(report));
    if common.json.is_some() || common.report.is_some() {
        let json = report.json();
        if let Some(file) = &common.json {
            write(file, &format!("{json:#}\n"))?;
        }
        if let Some(file) = &common.report {
            write(file, &page::of(&json))?;
        }
    }
    if report.faults.any() {
        return Err("subscribers did not get what they should".into());
    }
    Ok(())
}

/// Shows it on standard output. Files are written also when nobody reads that any more.
pub(crate) fn show(text: &str) {
    let mut out = io::stdout();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Looks whether the files that are asked for can be written, before the run and not after it.
///
/// # Errors
/// One sentence, when one of them can't be.
pub(crate) fn check_files(common: &Common) -> Result<(), String> {
    for file in [&common.json, &common.report].into_iter().flatten() {
        let is_there = file.exists();
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened.map_err(|error| cannot_write(file, &error))?;
        if !is_there {
            // A run that fails leaves no empty file.
            drop(fs::remove_file(file));
        }
    }
    Ok(())
}

/// Writes a file.
///
/// # Errors
/// One sentence, when it can't be written.
pub(crate) fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| cannot_write(file, &error))
}

fn cannot_write(file: &Path, error: &io::Error) -> String {
    let file = file.display();
    format!("cannot write {file}: {error}; give a file in a folder that you may write to")
}
