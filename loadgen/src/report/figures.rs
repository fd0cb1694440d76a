//! The figures of a run.

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
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    /// The server.
    pub(crate) target: String,
    /// Whether the server's process is known; if not there are no figures about it.
    pub(super) knows_server: bool,
    /// All flags and what they were.
    pub(super) parameters: Vec<(String, String)>,
    figures: Vec<Figure>,
    /// How long deliveries took, in nanoseconds, where the scenario measures that.
    pub(crate) latency: Option<Histogram<u64>>,
    pub(super) timeline: Timeline,
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
    pub(super) fn ordered(&self) -> Vec<(bool, &Figure)> {
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
