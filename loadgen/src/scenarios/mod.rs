//! What is done to a server, and what is measured meanwhile.

pub(crate) mod fanout;
pub(crate) mod idle;
pub(crate) mod table;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::args::Common;
use crate::live::{self, Watch};
use crate::peer;
use crate::plan::Plan;
use crate::procfs::{self, Usage};
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
    /// Whether the server says when a table is complete.
    tells_tables: bool,
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
    let tells_tables = peer::tells_tables(target.address, common.keepalive)?;
    let report = Report::new(name, &target, common);
    let delivered = Arc::default();
    let watch = Watch::start(Arc::clone(&delivered), target.pid)?;
    let mut run = Run { common, target, report, delivered, tells_tables };
    let done = scenario(&mut run);
    let Run { target, mut report, .. } = run;
    let timeline = watch.finish();
    report.add_timeline(timeline, procfs::resident(target.pid).unwrap_or(0));
    let stopped = target.stop();
    // A server that died explains whatever else went wrong.
    match (done, stopped) {
        (Ok(()), Ok(())) => Ok(report),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Err(first), Err(second)) => Err(format!("{first}; {second}")),
    }
}

impl Run<'_> {
    /// What the server has used so far; nothing, when its process is not known.
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
    ///
    /// A server that doesn't tell has subscribed a session when it answers a later KEEPALIVE.
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
        let tables = self.tells_tables.then_some(plan.vnis);
        // With routes to come, having them all shows that a session is subscribed.
        let is_silent = !self.tells_tables && held == 0;
        receivers.set_goal(Goal { held, tables }, sessions);
        for mut stream in streams {
            let told = |error| format!("subscriber: {error}");
            peer::subscribe(&mut stream, plan.vnis()).map_err(told)?;
            if is_silent {
                peer::barrier(&mut stream, self.common.patience()).map_err(told)?;
            }
            receivers.add(stream)?;
        }
        if is_silent { Ok(()) } else { receivers.wait(self.common.patience(), meanwhile) }
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
    live::phase(text);
}

/// Allows this process, and the servers that it starts, as many descriptors as there may be.
fn raise_descriptors() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("cannot raise the limit on descriptors: {error}"))
}
