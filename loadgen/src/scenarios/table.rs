//! A large table: how fast it loads, what it takes, how it reaches late joiners, how it goes.
//!
//! The publisher's KEEPALIVE behind its last route is answered when the server has read all of
//! them, and a server that then uses no CPU time has done all that follows from them. That they are
//! all there is shown by the late joiners, each of which must get exactly all of them.

use std::time::{Duration, Instant};

use metalbond::wire::Action;

use crate::audience::Audience;
use crate::common::Common;
use crate::live::phase;
use crate::load::seconds;
use crate::peer::Publisher;
use crate::plan::Plan;
use crate::procfs;
use crate::receiver::Goal;
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario};

/// `table` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Table {
    /// Routes, each with a destination of its own
    #[arg(short, long, value_name = "R", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    routes: u32,

    /// Next hops that they are spread over
    #[arg(long, value_name = "H", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    next_hops: u32,

    /// VNIs that they are spread over; every joiner takes all of them
    #[arg(long, value_name = "V", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis: u32,

    /// Subscribers that join when the table is loaded, all at once
    #[arg(short, long, value_name = "J", default_value_t = 10)]
    joiners: usize,

    /// Seconds after which memory that is no longer needed should have been given back
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

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let plan = Plan::new(self.routes, self.vnis, self.next_hops);
        let routes = f64::from(plan.routes);
        let patience = run.common.patience();
        let frames = plan.frames(Action::Add, 0..plan.routes);
        let full = Views::same(RouteSet::of(plan.routes, 0..plan.routes));
        let empty = Views::same(RouteSet::new(plan.routes));
        let mut receivers = run.receivers(plan, None)?;
        let mut publisher =
            Publisher::connect(run.target.address, run.common.keepalive, "publisher")?;
        run.settle()?;

        phase(&format!("loading {} routes", plan.routes));
        let resident_before = procfs::resident(run.target.pid)?;
        let (before, began) = (run.used()?, Instant::now());
        publisher.publish(&frames)?;
        publisher.barrier(patience)?;
        let load_time = began.elapsed().as_secs_f64();
        run.settle()?;
        let load = run.used()? - before;
        let resident = procfs::resident(run.target.pid)?;
        drop(frames);

        phase(&format!("{} joiners", self.joiners));
        let (before, began) = (run.used()?, Instant::now());
        let audience = Audience::whole(self.joiners, plan.vnis);
        run.subscribe(&mut receivers, &plan, &audience, full, || publisher.tick())?;
        let dump_time = began.elapsed().as_secs_f64();
        let dump = run.used()? - before;
        let resident_joined = procfs::resident(run.target.pid)?;

        phase("the publisher dies");
        let (before, began) = (run.used()?, Instant::now());
        receivers.set_goal(Goal::of(&empty), self.joiners);
        drop(publisher);
        receivers.wait(patience, || Ok(()))?;
        let withdraw_time = began.elapsed().as_secs_f64();
        let withdraw = run.used()? - before;
        run.settle()?;
        let resident_after = procfs::resident(run.target.pid)?;
        std::thread::sleep(Duration::from_secs_f64(self.rest));
        let resident_rested = procfs::resident(run.target.pid)?;
        let outcome = run.verify(receivers, &empty)?;

        let delivered = routes * self.joiners as f64;
        if outcome.updates as f64 != 2.0 * delivered && !outcome.faults.any() {
            return Err(format!("{} updates delivered, not {}", outcome.updates, 2.0 * delivered));
        }
        let report = &mut run.report;
        if delivered > 0.0 {
            let seconds = dump_time + withdraw_time;
            report.add("delivered updates per second", 2.0 * delivered / seconds, "/s");
            let each = (dump.cpu_ns + withdraw.cpu_ns) as f64 / (2.0 * delivered);
            report.add("server CPU per delivered update", each, "ns");
        }
        report.add("routes per second of server CPU", routes / (load.cpu_ns as f64 / 1e9), "/s");
        report.add_cpu(
            ["server CPU per route loaded", "  in user mode", "  in the kernel"],
            load,
            routes,
        );
        report.add("load time", load_time, "s");
        let grown = resident as f64 - resident_before as f64;
        report.add("resident memory per route", grown / routes, "bytes");
        report.add("resident memory before", resident_before as f64 / 1e6, "MB");
        report.add("resident memory loaded", resident as f64 / 1e6, "MB");
        report.add("resident memory after dumps", resident_joined as f64 / 1e6, "MB");
        report.add("resident memory after withdrawal", resident_after as f64 / 1e6, "MB");
        report.add("resident memory after a rest", resident_rested as f64 / 1e6, "MB");
        report.add_cpu(
            ["server CPU per route dumped", "  in user mode", "  in the kernel"],
            dump,
            delivered,
        );
        report.add("dump time", dump_time, "s");
        report.add_cpu(
            ["server CPU per route withdrawn", "  in user mode", "  in the kernel"],
            withdraw,
            delivered,
        );
        report.add("withdrawal time", withdraw_time, "s");
        Ok(())
    }
}
