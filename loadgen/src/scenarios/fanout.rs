//! Fan-out: publishers announce and withdraw, and everybody is told.
//!
//! A closed loop: a window of ADDs, then the same routes as REMOVEs, and so on. The next window goes
//! out when every subscriber has the whole last one, so nothing can coalesce and every update is
//! delivered to every subscriber exactly once: what a delivery costs is the server's CPU time
//! divided by a number that is known.

use std::time::{Duration, Instant};

use clap::builder::RangedU64ValueParser;
use hdrhistogram::Histogram;
use metalbond::wire::Action;

use super::{Run, Used, duration, ns, progress, seconds};
use crate::peer::Publisher;
use crate::plan::Plan;
use crate::receiver::{Goal, Receivers, histogram};
use crate::route_set::{RouteSet, Views};

/// Flags of `fanout`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Sessions that subscribe
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    subscribers: usize,

    /// Updates in a window, over all publishers
    #[arg(short, long, value_name = "W", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    window: u32,

    /// VNIs that a window is spread over; every subscriber takes all of them
    #[arg(long, value_name = "V", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis: u32,

    /// Sessions that publish, each its part of a window
    #[arg(short, long, value_name = "P", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,

    /// Routes that are in the tables all the while, announced by a publisher of their own
    #[arg(long, value_name = "R", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    table: u32,

    /// Seconds to measure
    #[arg(short, long, value_name = "D", default_value_t = 4.0, value_parser = duration)]
    duration: f64,

    /// Seconds before that
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    warm_up: f64,
}

/// A publisher and its part of each window.
struct Source {
    publisher: Publisher,
    adds: Vec<u8>,
    removes: Vec<u8>,
}

/// What happened in a stretch of time.
struct Stretch {
    windows: u64,
    elapsed: Duration,
    used: Used,
}

pub(crate) fn run(run: &mut Run<'_>, options: &Options) -> Result<(), String> {
    let plan = Plan::new(options.table + options.window, options.vnis, 100);
    let mut receivers = run.receivers(plan, None)?;
    let mut sources = Vec::new();
    if options.table > 0 {
        let frames = plan.frames(Action::Add, 0..options.table);
        let mut publisher = Publisher::connect(run.target.address, run.common.keepalive, "table")?;
        publisher.publish(&frames)?;
        publisher.barrier(run.common.patience())?;
        sources.push(Source { publisher, adds: Vec::new(), removes: Vec::new() });
    }
    let mut from = options.table;
    for number in 1..=options.publishers {
        let to = u64::from(options.window) * u64::from(number) / u64::from(options.publishers);
        let to = options.table + u32::try_from(to).unwrap_or(options.window);
        sources.push(Source {
            publisher: Publisher::connect(run.target.address, run.common.keepalive, "publisher")?,
            adds: plan.frames(Action::Add, from..to),
            removes: plan.frames(Action::Remove, from..to),
        });
        from = to;
    }
    let full = Views::same(RouteSet::of(plan.routes, 0..plan.routes));
    let empty = Views::same(RouteSet::of(plan.routes, 0..options.table));
    run.subscribe(&mut receivers, &plan, options.subscribers, empty.clone(), || Ok(()))?;
    progress(&format!("{} subscribers, windows of {}", options.subscribers, options.window));

    let mut times = histogram();
    let mut stretch = |seconds| {
        times.reset();
        windows(
            run,
            options,
            &receivers,
            &mut sources,
            [&full, &empty],
            Duration::from_secs_f64(seconds),
            &mut times,
        )
    };
    let warm_up = stretch(options.warm_up)?;
    let measured = stretch(options.duration)?;
    let outcome = run.verify(receivers, &empty)?;

    let each_window = u64::from(options.window) * options.subscribers as u64;
    let dumps = u64::from(options.table) * options.subscribers as u64;
    let expected = (warm_up.windows + measured.windows) * each_window + dumps;
    if outcome.updates != expected && !outcome.faults.any() {
        return Err(format!("{} updates delivered, not {expected}", outcome.updates));
    }
    let delivered = (measured.windows * each_window) as f64;
    let seconds = measured.elapsed.as_secs_f64();
    let server = measured.used.server;
    let report = &mut run.report;
    measured.used.tell(report, delivered.max(1.0), seconds);
    let all_windows = (warm_up.windows + measured.windows) as f64;
    let reads = outcome.reads as f64 / (all_windows * options.subscribers as f64);
    report.add("reads per subscriber and window", reads, "");
    let windows = measured.windows as f64;
    report.add("server sleeps per window", server.voluntary as f64 / windows, "");
    report.add("server preemptions per window", server.involuntary as f64 / windows, "");
    report.add("windows", windows, "");
    report.add_latency(times); // of whole windows
    Ok(())
}

/// Sends pairs of windows, ADDs and REMOVEs, for some time.
fn windows(
    run: &Run<'_>,
    options: &Options,
    receivers: &Receivers,
    sources: &mut [Source],
    views: [&Views; 2],
    duration: Duration,
    times: &mut Histogram<u64>,
) -> Result<Stretch, String> {
    let before = Used::by(run.target.pid)?;
    let began = Instant::now();
    let mut windows = 0;
    while began.elapsed() < duration {
        for (action, views) in [Action::Add, Action::Remove].into_iter().zip(views) {
            let sent = Instant::now();
            let goal = Goal { views: views.clone(), tables: None };
            receivers.set_goal(goal, options.subscribers);
            for source in sources.iter_mut() {
                let frames = match action {
                    Action::Add => &source.adds,
                    Action::Remove => &source.removes,
                };
                source.publisher.publish(frames)?;
            }
            receivers.wait(run.common.patience(), || Ok(()))?;
            times.saturating_record(ns(sent.elapsed()));
            windows += 1;
        }
        for source in sources.iter_mut() {
            source.publisher.tick()?;
        }
    }
    let elapsed = began.elapsed();
    Ok(Stretch { windows, elapsed, used: Used::by(run.target.pid)?.since(before) })
}
