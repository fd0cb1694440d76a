//! Fan-out: publishers announce and withdraw routes, and all subscribers of a VNI receive the updates.
//!
//! A closed loop ([`super::rounds`]) of windows of updates. Each subscriber of a VNI receives every update of the VNI
//! exactly once, so the number of deliveries is known. The server's CPU time divided by this number is the cost of a
//! delivery.

use super::rounds::{Rounds, TableFlag, Taker};
use crate::audience::Audience;
use crate::live::phase;
use crate::load::{Load, Span};
use crate::plan::Plan;
use crate::receiver::histogram;
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario};

/// `fanout` and its flags.
#[derive(Clone, Debug, clap::Args)]
#[command(
    mut_arg("vnis_per_peer", |arg| {
        arg.help("Number of VNIs to which each subscriber subscribes").default_value("1")
    }),
    mut_arg("seed", |arg| arg.help("Seed of the choice of VNIs for each subscriber"))
)]
pub(crate) struct Fanout {
    /// Number of sessions that subscribe
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    subscribers: u32,

    /// Number of updates in a window, of all publishers together
    #[arg(short, long, value_name = "W", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    window: u32,

    /// Number of consecutive updates of one VNI in a window
    #[arg(long, value_name = "L", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    run_length: u32,

    /// Number of sessions that publish; each sends its part of a window
    #[arg(short, long, value_name = "P", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,

    #[command(flatten)]
    table_flag: TableFlag,

    #[command(flatten)]
    load: Load,
}

impl Fanout {
    fn plan(&self) -> Result<Plan, String> {
        let Self { window, table_flag: TableFlag { table }, subscribers, .. } = *self;
        if table > 0 && table < window {
            return Err(format!("--table {table} is less than --window {window}, a part of it"));
        }
        let routes = if table > 0 { table } else { window };
        self.load.plan(routes).fits(subscribers)
    }
}

/// Divides `count` things into `between` parts, as evenly as possible: the first thing of each part, and the end.
fn parts(count: u32, between: u32) -> Vec<u32> {
    let first = |number: u32| u64::from(count) * u64::from(number) / u64::from(between);
    (0..=between).map(|number| u32::try_from(first(number)).unwrap_or(count)).collect()
}

impl Scenario for Fanout {
    fn name(&self) -> &'static str {
        "fanout"
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn goes_over_tls(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let Self { subscribers, window, publishers, ref load, .. } = *self;
        let (Span { duration, warm_up }, seed) = (load.span, load.seed);
        let plan = run.place(self.plan()?)?;
        let audience = Audience::dealt(subscribers, load.vnis, load.vnis_per_peer(), seed)?;
        let routes = parts(plan.routes, publishers);
        let routes = routes.windows(2).map(|ends| (ends[0]..ends[1]).collect()).collect();
        let windows = parts(window, publishers);
        let windows: Vec<_> = windows.windows(2).map(|ends| (ends[1] - ends[0]) as usize).collect();
        let taker =
            |(vnis, sessions): (&[u32], u64)| Taker { vnis: vnis.to_vec(), own: None, sessions };
        let takers = audience.groups().map(taker).collect();
        let table_flag = self.table_flag.is_asked().then_some(&windows[..]);
        let mut rounds = Rounds::new(plan, routes, table_flag, takers).in_runs(self.run_length);

        let mut receivers = run.receivers(plan, None)?;
        let mut sources = Vec::new();
        for _ in 0..publishers {
            sources.push(run.publisher()?);
        }
        let empty = Views::same(RouteSet::new(plan.routes));
        run.subscribe(&mut receivers, &|number| plan.vni(number), &audience, empty, || Ok(()))?;
        // After the subscribers have joined: a server without tables could not send them the routes later.
        rounds.fill(run, &receivers, &mut sources)?;
        phase(&format!("{subscribers} subscribers, windows of {window}, seed {seed}"));

        let mut times = histogram();
        let mut stretch =
            |seconds| rounds.stretch(run, &receivers, &mut sources, seconds, &mut times);
        let warm_up = stretch(warm_up)?;
        let measured = stretch(duration)?;
        let outcome = rounds.verify(run, receivers)?;
        let report = &mut run.report;
        measured.report_to(report);
        let all_windows = (warm_up.windows + measured.windows) as f64;
        let reads = outcome.reads as f64 / (all_windows * f64::from(subscribers));
        report.add("reads per subscriber and window", reads, "");
        let windows = measured.windows as f64;
        let sleeps = measured.used.servers.map(|used| used.voluntary as f64 / windows);
        report.add_each("server sleeps per window", &sleeps, "");
        let preemptions = measured.used.servers.map(|used| used.involuntary as f64 / windows);
        report.add_each("server preemptions per window", &preemptions, "");
        report.add("windows", windows, "");
        report.add_latency(times); // of whole windows
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_even() {
        assert_eq!(parts(10, 3), [0, 3, 6, 10]);
        assert_eq!(parts(1, 2), [0, 0, 1]);
    }
}
