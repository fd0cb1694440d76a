//! What is done to a server, and what is measured meanwhile.

pub(crate) mod fanout;
pub(crate) mod idle;
pub(crate) mod table;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::args::Common;
use crate::peer;
use crate::plan::Plan;
use crate::procfs::Usage;
use crate::receiver::{Goal, Outcome, Receivers};
use crate::report::Report;
use crate::target::Target;

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) common: &'a Common,
    pub(crate) target: Target,
    pub(crate) report: Report,
    /// UPDATEs that subscribers have received so far.
    pub(crate) delivered: Arc<AtomicU64>,
}

/// Starts the server, runs a scenario and stops the server.
///
/// # Errors
/// One sentence: the first thing that went wrong.
pub(crate) fn run(
    common: &Common,
    name: &'static str,
    scenario: impl FnOnce(&mut Run<'_>) -> Result<(), String>,
) -> Result<Report, String> {
    raise_descriptors()?;
    let target = Target::new(common)?;
    let report = Report::new(name, target.name.clone());
    let mut run = Run { common, target, report, delivered: Arc::default() };
    let done = scenario(&mut run);
    let Run { target, report, .. } = run;
    let stopped = target.stop();
    // A server that died explains whatever else went wrong.
    match (done, stopped) {
        (Ok(()), Ok(())) => Ok(report),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Err(first), Err(second)) => Err(format!("{first}; {second}")),
    }
}

impl Run<'_> {
    /// What the server has used so far.
    pub(crate) fn used(&self) -> Result<Usage, String> {
        Usage::of(self.target.pid)
    }

    /// Threads that receive what a plan says.
    pub(crate) fn receivers(&self, plan: Plan) -> Result<Receivers, String> {
        let Common { threads, keepalive, .. } = *self.common;
        Receivers::new(threads, plan, keepalive, Arc::clone(&self.delivered))
    }

    /// Connects a session.
    pub(crate) fn connect(&self, node: &str) -> Result<TcpStream, String> {
        peer::connect(self.target.address, self.common.keepalive, node)
    }

    /// Connects sessions, subscribes them to all VNIs of the plan, and waits until each holds `held`
    /// routes and has been told that its tables are complete.
    pub(crate) fn subscribe(
        &self,
        receivers: &mut Receivers,
        plan: &Plan,
        sessions: usize,
        held: u32,
        meanwhile: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let mut streams = Vec::new();
        for _ in 0..sessions {
            streams.push(self.connect("subscriber")?);
        }
        receivers.set_goal(Goal { held, tables: Some(plan.vnis) }, sessions);
        for mut stream in streams {
            peer::subscribe(&mut stream, plan.vnis())
                .map_err(|error| format!("subscriber: {error}"))?;
            receivers.add(stream)?;
        }
        receivers.wait(self.common.patience(), meanwhile)
    }

    /// Waits until the server has done what it had to do: until it uses next to no CPU time.
    pub(crate) fn settle(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.common.patience();
        let mut before = self.used()?.cpu_ns;
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.used()?.cpu_ns;
            if now - before < 1_000_000 {
                return Ok(());
            }
            before = now;
        }
        Err("the server does not come to rest".into())
    }

    /// Ends a run: verifies what subscribers hold.
    pub(crate) fn verify(&mut self, receivers: Receivers, held: u32) -> Result<Outcome, String> {
        let outcome = receivers.finish(held)?;
        self.report.faults += outcome.faults;
        Ok(outcome)
    }
}

/// Says where a run is.
pub(crate) fn progress(text: &str) {
    eprintln!("loadgen: {text}");
}

/// Allows this process, and the servers that it starts, as many descriptors as there may be.
fn raise_descriptors() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("cannot raise the limit on descriptors: {error}"))
}
