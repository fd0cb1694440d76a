//! Churn: what a data centre does all day, and how long it takes to those who see all of it.

use super::Run;
pub(crate) use super::cloud::Options;
use super::cloud::{Cloud, Stretch};
use crate::receiver::histogram;
use crate::report::Report;

pub(crate) fn run(run: &mut Run<'_>, options: &Options) -> Result<(), String> {
    let mut cloud = Cloud::new(run, options)?;
    let stretch = cloud.churn(run, 0, options.warm_up, options.duration)?;
    let views = cloud.views();
    let outcome = run.verify(cloud.receivers, &views)?;

    let times = outcome.latencies.into_iter().next().unwrap_or_else(histogram);
    let observed = times.len();
    run.report.add_latency(times); // to observers
    tell(&mut run.report, &stretch, observed, options.observers);
    Ok(())
}

/// Tells what happened in a stretch, in which observers were sent `observed` updates.
pub(super) fn tell(report: &mut Report, stretch: &Stretch, observed: u64, observers: u32) {
    let Stretch { seconds, used, events, moves, sent, delivered } = *stretch;
    let expected = sent * u64::from(observers);
    used.tell(report, (delivered as f64).max(1.0), seconds);
    report.add("events per second", events as f64 / seconds, "/s");
    report.add("  moves", moves as f64 / seconds, "/s");
    report.add("updates per second", sent as f64 / seconds, "/s");
    report.add("updates to observers", observed as f64, "");
    report.add("updates to observers, expected", expected as f64, "");
    report.add("coalesced pairs", expected.saturating_sub(observed) as f64 / 2.0, "");
}
