//! Latency: updates at a fixed rate, and the time that each takes to each subscriber.
//!
//! An open loop: each update is sent when it is due, whether or not earlier updates have arrived, and its time counts
//! from the moment when it was due. All routes are announced one by one, then withdrawn one by one, and so on. The next
//! update of the same route follows after seconds, so the two coalesce only for a subscriber that is as far behind.
//! Such pairs are legal, and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metalbond::wire::Action;

use crate::audience::Audience;
use crate::fetch::{Fetched, Fetcher, Url};
use crate::live::phase;
use crate::load::Span;
use crate::pace::Pace;
use crate::peer::Publisher;
use crate::plan::Plan;
use crate::procfs::Usage;
use crate::receiver::{Goal, Receivers, Timing, histogram};
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario, Used, ns};

/// `latency` and its flags.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("duration", |arg| arg.default_value("10")))]
pub(crate) struct Latency {
    /// Number of sessions that subscribe
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    subscribers: u32,

    /// Updates per second
    #[arg(long, value_name = "RATE", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,

    /// Number of routes, all announced one by one and then withdrawn one by one [default: the updates of 4 seconds]
    #[arg(short, long, value_name = "R",
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    routes: Option<u32>,

    /// Number of VNIs, over which the routes are spread; each subscriber subscribes to all of them
    #[arg(long, value_name = "V", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis: u32,

    /// Number of further routes that stay announced meanwhile, in a VNI to which no session subscribes
    #[arg(long, value_name = "R", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=16_777_216))]
    table: u32,

    /// Fetch this page again and again meanwhile, http://HOST:PORT/PATH; a reflector that loadgen starts needs
    /// --server-arg=--http=PORT for it
    #[arg(long, value_name = "URL")]
    fetch: Option<Url>,

    #[command(flatten)]
    span: Span,
}

/// Next hops of the other routes.
const TABLE_HOPS: u32 = 10_000;

/// The reported quantiles of the publisher's delay.
const BEHIND: [(&str, f64); 3] = [
    ("publisher behind schedule, p50", 0.5),
    ("publisher behind schedule, p99", 0.99),
    ("publisher behind schedule, max", 1.0),
];

/// The updates that were sent.
struct Sent {
    updates: u64,
    /// The publisher's delay at each write.
    behind: Histogram<u64>,
    used: Used,
    measured: Duration,
}

impl Scenario for Latency {
    fn name(&self) -> &'static str {
        "latency"
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let routes = self.routes.unwrap_or_else(|| self.rate.saturating_mul(4).max(1000));
        let plan = run.place(Plan::new(routes, self.vnis, 100))?;
        let timing = Timing::new(plan.routes);
        let mut receivers = run.receivers(plan, Some(&timing))?;
        let subscribers = self.subscribers as usize;
        let mut publisher = run.publisher()?;
        if self.table > 0 {
            let table = plan.elsewhere(self.table, TABLE_HOPS);
            publisher.publish(&table.frames(Action::Add, 0..self.table))?;
            publisher.barrier(run.common.patience())?;
        }
        let empty = Views::same(RouteSet::new(routes));
        let audience = Audience::whole(subscribers, plan.vnis);
        run.subscribe(&mut receivers, &|number| plan.vni(number), &audience, empty, || {
            publisher.tick()
        })?;
        let rehearsed = rehearse(run, &plan, &receivers, subscribers, &mut publisher)?;
        phase(&format!("{subscribers} subscribers, {} updates per second", self.rate));

        let fetcher = self.fetch.clone().map(Fetcher::start);
        let sent = send(run, self, &plan, &timing, &receivers, &mut publisher)?;
        let fetched = fetcher.map(Fetcher::finish).transpose()?;
        let views = Views::same(RouteSet::of(routes, held(sent.updates, routes)));
        let goal = Goal { tables: run.tables(plan.vnis), ..Goal::of(&views) };
        receivers.check_goal(goal, subscribers)?;
        run.stay(&receivers, || publisher.tick())?;
        let outcome = run.verify(receivers, &views)?;
        run.keep(publisher.into_stream());

        let expected = (rehearsed + sent.updates) * subscribers as u64;
        if outcome.updates > expected && !outcome.faults.any() {
            return Err(format!("{} updates delivered, not {expected}", outcome.updates));
        }
        let times = outcome.latencies.into_iter().next().unwrap_or_else(histogram);
        let seconds = sent.measured.as_secs_f64();
        let delivered = times.len() as f64;
        let report = &mut run.report;
        report.add_latency(times);
        for (name, quantile) in BEHIND {
            report.add(name, sent.behind.value_at_quantile(quantile) as f64 / 1e3, "us");
        }
        sent.used.report_to(report, delivered.max(1.0), seconds);
        let updates = (f64::from(self.rate) * seconds).max(1.0);
        let servers = &sent.used.servers;
        let switches = |used: Usage| (used.voluntary + used.involuntary) as f64 / updates;
        report.add_each("server context switches per update", &servers.map(switches), "");
        let sleeps = |used: Usage| used.voluntary as f64 / updates;
        report.add_each("server sleeps per update", &servers.map(sleeps), "");
        if let Some(Fetched { pages, bytes }) = fetched {
            report.add("pages fetched", pages as f64, "");
            report.add("bytes fetched", bytes as f64, "");
        }
        report.add("updates per second", f64::from(self.rate), "/s");
        report.add("delivered updates, measured", delivered, "");
        report.add("delivered updates, all", outcome.updates as f64, "");
        report.add("expected updates, all", expected as f64, "");
        report.add("coalesced pairs", expected.saturating_sub(outcome.updates) as f64 / 2.0, "");
        report.add("updates per read", outcome.updates as f64 / outcome.reads.max(1) as f64, "");
        Ok(())
    }
}

/// The update with this number: first all routes are announced, then all are withdrawn, and so on.
fn step(number: u64, routes: u32) -> (Action, u32) {
    let routes = u64::from(routes);
    let action = if (number / routes).is_multiple_of(2) { Action::Add } else { Action::Remove };
    (action, u32::try_from(number % routes).unwrap_or(0))
}

/// The routes that are announced after `updates` updates.
fn held(updates: u64, routes: u32) -> std::ops::Range<u32> {
    match step(updates, routes) {
        (Action::Add, route) => 0..route,
        (Action::Remove, route) => route..routes,
    }
}

/// Announces a route of each VNI to subscribers of other sites, and withdraws it; returns the number of these updates.
/// A site takes some tenths of a second to join a VNI, so earlier updates would arrive late.
fn rehearse(
    run: &Run<'_>,
    plan: &Plan,
    receivers: &Receivers,
    subscribers: usize,
    publisher: &mut Publisher,
) -> Result<u64, String> {
    if !run.target.has_sites() {
        return Ok(0);
    }
    let routes = plan.vnis.min(plan.routes);
    for (action, held) in [(Action::Add, routes), (Action::Remove, 0)] {
        let views = Views::same(RouteSet::of(plan.routes, 0..held));
        receivers.set_goal(Goal::of(&views), subscribers);
        publisher.publish(&plan.frames(action, 0..routes))?;
        receivers.wait(run.common.patience(), || publisher.tick())?;
    }
    Ok(2 * u64::from(routes))
}

/// Sends what is due until the time is over.
fn send(
    run: &Run<'_>,
    options: &Latency,
    plan: &Plan,
    timing: &Arc<Timing>,
    receivers: &Receivers,
    publisher: &mut Publisher,
) -> Result<Sent, String> {
    let time = Duration::from_secs_f64(options.span.warm_up + options.span.duration);
    let mut pace = Pace::new(f64::from(options.rate), time);
    let start = pace.due(0) + Duration::from_secs_f64(options.span.warm_up);
    timing.measure(0, start);
    let before = Used::at(&run.target.processes, start);
    let mut behind = histogram();
    let mut frames = Vec::new();
    let mut updates = 0;
    while let Some(due) = pace.wait() {
        if due.is_empty() {
            publisher.tick()?;
            continue;
        }
        behind.saturating_record(ns(pace.due(due.start).elapsed()));
        updates = due.end;
        frames.clear();
        for number in due {
            let (action, route) = step(number, plan.routes);
            timing.note(action, route, pace.due(number));
            plan.frame(&mut frames, action, route);
        }
        publisher.publish(&frames)?;
        publisher.tick()?;
        receivers.check()?;
    }
    let measured = Instant::now().saturating_duration_since(start);
    let before = before.join().map_err(|_| "a thread panicked")??;
    Ok(Sent { updates, behind, used: Used::by(&run.target.processes)?.since(before), measured })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_follows_from_the_steps() {
        let mut set = RouteSet::new(7);
        for number in 0..40 {
            assert_eq!(set, RouteSet::of(7, held(number, 7)));
            let is_news = match step(number, 7) {
                (Action::Add, route) => set.insert(route),
                (Action::Remove, route) => set.remove(route),
            };
            assert!(is_news);
        }
    }
}
