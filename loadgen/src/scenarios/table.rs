//! A large table: its memory, and the costs of loading it, of sending it to late joiners and of withdrawing it.
//!
//! The publisher sends a KEEPALIVE after its last route. When the server answers it, the server has read all routes;
//! when the server then uses no CPU time, it has finished all work that they cause. Late joiners show that no route is
//! missing: each must get exactly all routes. Joiners of another site get them when that site has received them.

use std::time::{Duration, Instant};

use metalbond::wire::Action;

use crate::audience::Audience;
use crate::common::Common;
use crate::live::phase;
use crate::load::seconds;
use crate::plan::Plan;
use crate::processes::Each;
use crate::procfs::Usage;
use crate::receiver::Goal;
use crate::report::RunReport;
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario};

/// `table` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Table {
    /// Number of routes, each with its own destination
    #[arg(short, long, value_name = "R", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    routes: u32,

    /// Number of next hops, over which the routes are spread
    #[arg(long, value_name = "H", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    next_hops: u32,

    /// Number of VNIs, over which the routes are spread; each joiner subscribes to all of them
    #[arg(long, value_name = "V", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis: u32,

    /// Number of subscribers that join at once when the table is loaded
    #[arg(short, long, value_name = "J", default_value_t = 10)]
    joiners: usize,

    /// Seconds to wait after the withdrawal before measuring the memory once more
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    rest: f64,
}

impl Scenario for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn check(&self, common: &Common) -> Result<(), String> {
        common.needs_table()
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let plan = run.place(Plan::new(self.routes, self.vnis, self.next_hops))?;
        let patience = run.common.patience();
        let frames = plan.frames(Action::Add, 0..plan.routes);
        let full = Views::same(RouteSet::of(plan.routes, 0..plan.routes));
        let empty = Views::same(RouteSet::new(plan.routes));
        let mut receivers = run.receivers(plan, None)?;
        let mut publisher = run.publisher()?;
        run.settle()?;

        phase(&format!("loading {} routes", plan.routes));
        let resident_before = run.resident()?;
        let (before, began) = (run.used()?, Instant::now());
        publisher.publish(&frames)?;
        publisher.barrier(patience)?;
        let seconds = began.elapsed().as_secs_f64();
        run.settle()?;
        let load = Stage::done(run, seconds, before)?;
        drop(frames);

        phase(&format!("{} joiners", self.joiners));
        let (before, began) = (run.used()?, Instant::now());
        let audience = Audience::whole(self.joiners, plan.vnis);
        run.subscribe(&mut receivers, &|number| plan.vni(number), &audience, full, || {
            publisher.tick()
        })?;
        let dump = Stage::done(run, began.elapsed().as_secs_f64(), before)?;

        phase("the publisher dies");
        let (before, began) = (run.used()?, Instant::now());
        receivers.set_goal(Goal::of(&empty), self.joiners);
        drop(publisher);
        receivers.wait(patience, || Ok(()))?;
        let mut withdrawal = Stage::done(run, began.elapsed().as_secs_f64(), before)?;
        run.settle()?;
        withdrawal.resident = run.resident()?;
        std::thread::sleep(Duration::from_secs_f64(self.rest));
        let resident_rested = run.resident()?;
        let outcome = run.verify(receivers, &empty)?;

        let delivered = f64::from(plan.routes) * self.joiners as f64;
        if outcome.updates as f64 != 2.0 * delivered && !outcome.faults.any() {
            return Err(format!("{} updates delivered, not {}", outcome.updates, 2.0 * delivered));
        }
        let stages = Stages { resident_before, load, dump, withdrawal, resident_rested };
        stages.report_to(&mut run.report, f64::from(plan.routes), delivered);
        Ok(())
    }
}

/// The cost of a part of the run.
struct Stage {
    seconds: f64,
    used: Each<Usage>,
    /// The servers' resident memory at the end of the part, in bytes.
    resident: Each<u64>,
}

impl Stage {
    /// The part that ends now and began when the servers had used `before`.
    fn done(run: &Run<'_>, seconds: f64, before: Each<Usage>) -> Result<Self, String> {
        let used = run.used()? - before;
        Ok(Self { seconds, used, resident: run.resident()? })
    }
}

/// All parts of the run, and the servers' resident memory around them, in bytes.
struct Stages {
    resident_before: Each<u64>,
    load: Stage,
    dump: Stage,
    withdrawal: Stage,
    resident_rested: Each<u64>,
}

impl Stages {
    /// Adds the figures for `routes` routes. `delivered` is the number of routes dumped to all joiners, and also the
    /// number withdrawn from them.
    fn report_to(&self, report: &mut RunReport, routes: f64, delivered: f64) {
        let Self { load, dump, withdrawal, .. } = self;
        if delivered > 0.0 {
            let seconds = dump.seconds + withdrawal.seconds;
            report.add("delivered updates per second", 2.0 * delivered / seconds, "/s");
            let used = dump.used.clone() + withdrawal.used.clone();
            let each = used.map(|used| used.cpu_ns as f64 / (2.0 * delivered));
            report.add_each("server CPU per delivered update", &each, "ns");
        }
        let of_cpu = routes / (load.used.sum().cpu_ns as f64 / 1e9);
        report.add("routes per second of server CPU", of_cpu, "/s");
        let of_parts = |first| [first, "  in user mode", "  in the kernel"];
        report.add_cpu(of_parts("server CPU per route loaded"), &load.used, routes);
        report.add("load time", load.seconds, "s");
        let per_route = |bytes: &Each<u64>| bytes.map(|bytes| bytes as f64 / routes);
        let grown = per_route(&load.resident) - per_route(&self.resident_before);
        report.add_each("resident memory per route", &grown, "bytes");
        for (name, resident) in [
            ("resident memory before", &self.resident_before),
            ("resident memory loaded", &load.resident),
            ("resident memory after dumps", &dump.resident),
            ("resident memory after withdrawal", &withdrawal.resident),
            ("resident memory after a rest", &self.resident_rested),
        ] {
            report.add_memory(name, resident);
        }
        report.add_cpu(of_parts("server CPU per route dumped"), &dump.used, delivered);
        report.add("dump time", dump.seconds, "s");
        report.add_cpu(of_parts("server CPU per route withdrawn"), &withdrawal.used, delivered);
        report.add("withdrawal time", withdrawal.seconds, "s");
    }
}
