//! The figures of a run.

use hdrhistogram::Histogram;

use crate::common::Common;
use crate::ledger::Faults;
use crate::live::Timeline;
use crate::processes::Each;
use crate::procfs::Usage;
use crate::target::Target;

/// The beginnings of the key figures' names, in the order in which they should be read.
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
    /// The value of each server, if it is a figure of servers.
    pub(super) each: Each<f64>,
}

/// The figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunReport {
    pub(crate) scenario: &'static str,
    /// The servers, in the order of each figure's values.
    pub(super) servers: Vec<String>,
    /// Whether the servers' processes are known; if not, there are no figures about them.
    pub(super) knows_server: bool,
    /// All flags and their values.
    pub(super) parameters: Vec<(String, String)>,
    figures: Vec<Figure>,
    /// The latency of deliveries, in nanoseconds, if the scenario measures it.
    pub(crate) latency: Option<Histogram<u64>>,
    pub(super) timeline: Timeline,
    pub(crate) faults: Faults,
}

/// The reported quantiles of latency.
const QUANTILES: [(&str, f64); 5] = [
    ("latency, p50", 0.5),
    ("latency, p90", 0.9),
    ("latency, p99", 0.99),
    ("latency, p99.9", 0.999),
    ("latency, max", 1.0),
];

impl RunReport {
    pub(crate) fn new(scenario: &'static str, target: &Target, common: &Common) -> Self {
        Self {
            scenario,
            servers: target.names.clone(),
            knows_server: target.processes.are_known(),
            parameters: common.parameters.clone(),
            figures: Vec::new(),
            latency: None,
            timeline: Timeline::default(),
            faults: Faults::default(),
        }
    }

    /// Adds a figure. A figure about the servers' processes (its name says `server` or `resident`) is left
    /// out when they are not known.
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        let is_of_server = name.contains("server") || name.starts_with("resident");
        if self.knows_server || !is_of_server {
            self.figures.push(Figure { name, value, unit, each: Each::default() });
        }
    }

    /// Adds a figure of servers: the sum, and each value. Adds nothing when their processes are not known.
    pub(crate) fn add_each(&mut self, name: &'static str, each: &Each<f64>, unit: &'static str) {
        self.add_of_each(name, each.sum(), each, unit);
    }

    /// The same with a total that is not the sum.
    fn add_of_each(
        &mut self,
        name: &'static str,
        value: f64,
        each: &Each<f64>,
        unit: &'static str,
    ) {
        if !each.as_slice().is_empty() {
            self.figures.push(Figure { name, value, unit, each: each.clone() });
        }
    }

    /// Adds resident memory of servers, given in bytes.
    pub(crate) fn add_memory(&mut self, name: &'static str, bytes: &Each<u64>) {
        self.add_each(name, &bytes.map(|bytes| bytes as f64 / 1e6), "MB");
    }

    /// Adds the latency of deliveries, if there were any.
    pub(crate) fn add_latency(&mut self, latency: Histogram<u64>) {
        if latency.is_empty() {
            return; // zeros would look like measured times
        }
        for (name, quantile) in QUANTILES {
            self.add(name, latency.value_at_quantile(quantile) as f64 / 1e3, "us");
        }
        self.latency = Some(latency);
    }

    /// Adds the servers' CPU time for each of `count` things. The second and the
    /// third name, for the parts of it, begin with spaces.
    pub(crate) fn add_cpu(&mut self, names: [&'static str; 3], used: &Each<Usage>, count: f64) {
        let whole = |used: Usage| used.cpu_ns as f64 / count;
        self.add_each(names[0], &used.map(whole), "ns");
        let in_user_mode = |used: Usage| whole(used) * used.user_share();
        self.add_each(names[1], &used.map(in_user_mode), "ns");
        let in_the_kernel = |used: Usage| whole(used) * (1.0 - used.user_share());
        self.add_each(names[2], &used.map(in_the_kernel), "ns");
    }

    /// Adds the peaks of the run, and the servers' resident memory at the end, in bytes. The peak of all is
    /// the peak of their sum: they may reach their own at different times.
    pub(crate) fn add_timeline(&mut self, timeline: Timeline, resident: &Each<u64>) {
        let seen = timeline.samples.iter().map(|sample| sample.resident).max();
        let peak = seen.unwrap_or(0).max(resident.sum()) as f64 / 1e6;
        let peaks = timeline.peaks.max(resident).map(|bytes| bytes as f64 / 1e6);
        self.add_of_each("server memory, peak", peak, &peaks, "MB");
        self.add_memory("server memory, at the end", resident);
        self.timeline = timeline;
    }

    /// The name of all servers together.
    pub(super) fn target(&self) -> String {
        self.servers.join("; ")
    }

    /// The figures in the order in which they should be read, and whether each is a key figure.
    /// Parts, whose names begin with spaces, stay after their whole.
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
        ranked.sort_by_key(|(rank, ..)| *rank); // a stable sort
        let keyed = ranked.into_iter();
        keyed.map(|(rank, is_part, figure)| (rank < KEYS.len() && !is_part, figure)).collect()
    }
}
