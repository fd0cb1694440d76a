//! Idle: many sessions that send only KEEPALIVEs. What does one of them cost?

use std::time::{Duration, Instant};

use crate::live::phase;
use crate::load::{duration, seconds};
use crate::peer;
use crate::plan::Plan;
use crate::processes::Each;
use crate::procfs::Usage;
use crate::receiver::Subscriber;
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario};

/// `idle` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Idle {
    /// Number of sessions
    #[arg(short, long, value_name = "S", default_value_t = 4000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sessions: u32,

    /// Number of VNIs to which each session subscribes
    #[arg(long, value_name = "V", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    subscriptions: u32,

    /// How long to run before measuring, in intervals of KEEPALIVEs
    #[arg(long, value_name = "ROUNDS", default_value_t = 6.0, value_parser = seconds)]
    warm_up: f64,

    /// How long to measure, in seconds
    #[arg(short, long, value_name = "D", default_value_t = 20.0, value_parser = duration)]
    duration: f64,
}

impl Scenario for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let plan = run.place(Plan::new(0, self.subscriptions, 1))?;
        let mut receivers = run.receivers(plan, None)?;
        // The memory that all sessions share is taken with the first session.
        receivers.add(Subscriber::new(run.connect(run.target.publish_at(), "first")?, 0))?;
        run.settle()?;
        let resident_before = run.resident()?;
        let (before, began) = (run.used()?, Instant::now());
        for _ in 0..self.sessions {
            let mut stream = run.connect(run.target.publish_at(), "idle")?;
            peer::subscribe(&mut stream, plan.vnis())
                .map_err(|error| format!("session: {error}"))?;
            receivers.add(Subscriber::new(stream, 0))?;
        }
        let connect = run.used()? - before;
        let connect_time = began.elapsed().as_secs_f64();
        phase(&format!("{} sessions are up", self.sessions));
        // A server may have to learn the times of a session's KEEPALIVEs first.
        let warm_up = Duration::from_secs(run.common.keepalive.into()).mul_f64(self.warm_up);
        std::thread::sleep(warm_up);
        let resident = run.resident()?;

        let own = std::process::id();
        let (before, own_before, began) = (run.used()?, Usage::of(own)?, Instant::now());
        std::thread::sleep(Duration::from_secs_f64(self.duration));
        let used = run.used()? - before;
        let own_used = Usage::of(own)? - own_before;
        let seconds = began.elapsed().as_secs_f64();
        receivers.check()?;
        run.verify(receivers, &Views::same(RouteSet::new(0)))?;

        let sessions = f64::from(self.sessions);
        let keepalives = sessions * seconds / f64::from(run.common.keepalive);
        let report = &mut run.report;
        let per_session = |bytes: &Each<u64>| bytes.map(|bytes| bytes as f64 / sessions);
        let grown = per_session(&resident) - per_session(&resident_before);
        report.add_each("resident memory per session", &grown, "bytes");
        report.add_memory("resident memory before", &resident_before);
        report.add_memory("resident memory after", &resident);
        let cores = used.map(|used| used.cpu_ns as f64 / seconds / 1e9);
        report.add_each("server CPU used", &cores, "cores");
        report.add_cpu(
            ["server CPU per KEEPALIVE", "  in user mode", "  in the kernel"],
            &used,
            keepalives,
        );
        let sleeps = used.map(|used| used.voluntary as f64 / seconds);
        report.add_each("server sleeps per second", &sleeps, "/s");
        report.add("loadgen CPU used", own_used.cpu_ns as f64 / seconds / 1e9, "cores");
        let set_up = connect.map(|used| used.cpu_ns as f64 / sessions / 1e3);
        report.add_each("server CPU per session set up", &set_up, "us");
        report.add("sessions set up per second", sessions / connect_time, "/s");
        Ok(())
    }
}
