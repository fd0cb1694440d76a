//! Slow readers: what do they cost all other sessions?
//!
//! The run has the same churn twice: first without slow readers, then beside readers that are slow or stuck. The result
//! is the latency at the observers in the second part, compared with that in the first.

use std::net::TcpStream;

use metalbond::wire::Message;

use super::cloud::{self, Cloud};
use crate::common::Common;
use crate::live::phase;
use crate::load::Span;
use crate::peer::Opening;
use crate::plan::Plan;
use crate::processes::Each;
use crate::procfs::Usage;
use crate::receiver::{Fate, RECEIVE_BUFFER, Sluggards, histogram};
use crate::run::{Run, Scenario};

/// The reported quantiles of the baseline.
const BASELINE: [(&str, f64); 5] = [
    ("baseline latency, p50", 0.5),
    ("baseline latency, p90", 0.9),
    ("baseline latency, p99", 0.99),
    ("baseline latency, p99.9", 0.999),
    ("baseline latency, max", 1.0),
];

/// `slow` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Slow {
    #[command(flatten)]
    cloud: cloud::Options,

    /// Number of readers that read slowly
    #[arg(long, value_name = "N", default_value_t = 5)]
    slow: usize,

    /// How much each slow reader reads per second
    #[arg(long, value_name = "BYTES", default_value_t = 4000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    slow_rate: u32,

    /// Number of readers that read nothing
    #[arg(long, value_name = "N", default_value_t = 5)]
    stuck: usize,
}

impl Scenario for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    /// At most as many readers of a kind as other subscribers are allowed: the result is the cost for the latter.
    fn check(&self, common: &Common) -> Result<(), String> {
        let cloud::Options { hypervisors, observers, .. } = self.cloud;
        let most = hypervisors as usize + observers as usize;
        for (flag, number) in [("--slow", self.slow), ("--stuck", self.stuck)] {
            if number > most {
                return Err(format!(
                    "{flag} {number} is more than the {most} subscribers beside them: give fewer, or \
                     more --hypervisors or --observers"
                ));
            }
        }
        common.needs_table()
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let Span { duration, warm_up } = self.cloud.load.span;
        let mut cloud = Cloud::new(run, &self.cloud)?;
        let resident_before = run.resident()?;
        let baseline = cloud.churn(run, 0, warm_up, duration)?;
        let resident = run.resident()?;

        phase(&format!("{} slow and {} stuck readers join", self.slow, self.stuck));
        let sluggards = join(run, &cloud, self.slow, self.stuck, self.slow_rate)?;
        let stretch = cloud.churn(run, 1, warm_up, duration)?;
        let resident_beside = run.resident()?;
        let fate = cloud.read_out(run, sluggards)?;
        let views = cloud.views();
        let outcome = run.verify(cloud.receivers, &views)?;

        let mut parts = outcome.latencies.into_iter();
        let before = parts.next().unwrap_or_else(histogram);
        let times = parts.next().unwrap_or_else(histogram);
        let observed = times.len();
        let report = &mut run.report;
        for (name, quantile) in BASELINE {
            report.add(name, before.value_at_quantile(quantile) as f64 / 1e3, "us");
        }
        report.add_latency(times); // to observers, beside slow readers
        let Fate { slow_closed, stuck_closed, before, read_out, .. } = fate;
        report.add("slow readers closed", slow_closed as f64, "");
        report.add("stuck readers closed", stuck_closed as f64, "");
        report.add("updates that slow readers read", before as f64, "");
        report.add("updates read out at the end", read_out as f64, "");
        report.add_memory("resident memory before", &resident_before);
        report.add_memory("resident memory after the baseline", &resident);
        report.add_memory("resident memory beside slow readers", &resident_beside);
        let delivered = baseline.delivered.max(1) as f64;
        let each: Each<f64> =
            baseline.used.servers.map(|used: Usage| used.cpu_ns as f64 / delivered);
        report.add_each("baseline server CPU per delivered update", &each, "ns");
        stretch.report_to(report, observed, self.cloud.observers);
        Ok(())
    }
}

/// Adds `slow` readers that read little, and `stuck` readers that read nothing.
pub(super) fn join(
    run: &Run<'_>,
    cloud: &Cloud,
    slow: usize,
    stuck: usize,
    rate: u32,
) -> Result<Sluggards, String> {
    let slow = readers(run, &cloud.plan, slow)?;
    let stuck = readers(run, &cloud.plan, stuck)?;
    Sluggards::start(cloud.plan.into(), slow, stuck, rate, run.common.keepalive)
}

/// Sessions with small receive buffers, subscribed to everything.
fn readers(run: &Run<'_>, plan: &Plan, count: usize) -> Result<Vec<TcpStream>, String> {
    let mut subscribe = Vec::new();
    for vni in plan.vnis() {
        Message::Subscribe(vni).encode_into(&mut subscribe);
    }
    let mut streams = Vec::new();
    for _ in 0..count {
        let (server, keepalive) = (run.target.publish_at(), run.common.keepalive);
        let opening = Opening::new(server, keepalive, "slow", Some(RECEIVE_BUFFER))?;
        streams.push(opening.greeted(&subscribe)?.into_stream()?);
    }
    Ok(streams)
}
