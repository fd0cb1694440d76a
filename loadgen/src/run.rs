//! A run: a scenario against a server, from the server's start to its end.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metalbond::wire::Vni;

use crate::audience::Audience;
use crate::catalogue::Catalogue;
use crate::common::Common;
use crate::live::Watch;
use crate::peer::{self, Publisher};
use crate::plan::Plan;
use crate::processes::{Each, Processes};
use crate::procfs::{self, Usage};
use crate::receiver::{Goal, Outcome, Receivers, Subscriber, Timing};
use crate::report::RunReport;
use crate::route_set::Views;
use crate::target::Target;

/// How long no update must come before a view counts as stable. A site that has just joined a VNI takes
/// some tenths of a second until it has the other sites' announcements.
const QUIET: Duration = Duration::from_millis(200);
const SITES_QUIET: Duration = Duration::from_secs(1);

/// A measured workload for a server. Its fields are its flags.
pub(crate) trait Scenario {
    /// Its name on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Checks the flags before a server is started.
    ///
    /// # Errors
    /// One sentence, when they ask for the impossible.
    fn check(&self, _common: &Common) -> Result<(), String> {
        Ok(())
    }

    /// Whether it supports several sites at once.
    fn crosses_sites(&self) -> bool {
        false
    }

    /// Whether its sessions may use TLS.
    fn goes_over_tls(&self) -> bool {
        false
    }

    /// The arguments that a server started by loadgen needs besides the usual ones.
    fn server_args(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs the scenario, and adds its measurements to the report.
    ///
    /// # Errors
    /// One sentence: the first error.
    fn run(&self, run: &mut Run<'_>) -> Result<(), String>;
}

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) common: &'a Common,
    pub(crate) target: Target,
    pub(crate) report: RunReport,
    /// UPDATEs that subscribers have received so far.
    pub(crate) delivered: Arc<AtomicU64>,
    /// Sessions that end after the server: if one ended before, all others would get withdrawals that they
    /// no longer read, and the server would wait for them and warn.
    open: Vec<TcpStream>,
    /// Whether the server sends END_OF_TABLE.
    tells_tables: bool,
    /// The lowest VNI to use.
    first_vni: u32,
}

/// Starts the server, runs a scenario and stops the server.
///
/// # Errors
/// One sentence: the first error.
pub(crate) fn run(common: &Common, scenario: &dyn Scenario) -> Result<RunReport, String> {
    if common.target.len() > 1 && !scenario.crosses_sites() {
        return Err(format!(
            "{} takes one --target: fanout, table, latency, mesh, churn and storm take several",
            scenario.name()
        ));
    }
    if common.tls.tls && !scenario.goes_over_tls() {
        return Err(format!(
            "{} has no TLS: only fanout, mesh and churn take --tls",
            scenario.name()
        ));
    }
    scenario.check(common)?;
    raise_descriptors()?;
    let target = Target::new(common, &scenario.server_args())?;
    let (mut tells_tables, mut common) = (true, common.clone());
    for site in target.sites() {
        let manners = peer::manners(*site, target.tls.as_ref(), common.keepalive)?;
        tells_tables &= manners.tells_tables;
        // A session uses the lower interval of both sides; 0 is an error that the session will show.
        common.keepalive = common.keepalive.min(manners.keepalive.max(1));
    }
    let common = &common;
    let report = RunReport::new(scenario.name(), &target, common);
    let delivered = Arc::default();
    let watch = Watch::start(Arc::clone(&delivered), target.processes.clone())?;
    let first_vni = common.first_vni.unwrap_or_else(|| common.choose_first_vni());
    let mut run =
        Run { common, target, report, delivered, tells_tables, open: Vec::new(), first_vni };
    let done = scenario.run(&mut run);
    let Run { target, mut report, .. } = run;
    let timeline = watch.finish();
    report.add_timeline(timeline, &target.processes.resident().unwrap_or_default());
    let stopped = target.stop();
    // A server that has ended explains all later errors.
    match (done, stopped) {
        (Ok(()), Ok(())) => Ok(report),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Err(error),
        (Err(first), Err(second)) => Err(format!("{first}; {second}")),
    }
}

impl Run<'_> {
    /// What each server has used so far.
    pub(crate) fn used(&self) -> Result<Each<Usage>, String> {
        self.target.processes.used()
    }

    /// The resident memory of each server, in bytes.
    pub(crate) fn resident(&self) -> Result<Each<u64>, String> {
        self.target.processes.resident()
    }

    /// A plan in the VNIs of this run.
    ///
    /// # Errors
    /// One sentence, when there are not enough VNIs.
    pub(crate) fn place(&self, plan: Plan) -> Result<Plan, String> {
        plan.beginning_at(self.first_vni)
    }

    /// Threads that receive some routes, and may measure latency.
    pub(crate) fn receivers(
        &self,
        routes: impl Into<Catalogue>,
        timing: Option<&Arc<Timing>>,
    ) -> Result<Receivers, String> {
        let Common { threads, keepalive, .. } = *self.common;
        let delivered = Arc::clone(&self.delivered);
        Receivers::new(threads, routes.into(), keepalive, delivered, timing.map(Arc::clone))
    }

    /// How many END_OF_TABLEs to wait for after `subscribed` SUBSCRIBEs, if the server sends any.
    pub(crate) fn tables(&self, subscribed: u32) -> Option<u32> {
        self.tells_tables.then_some(subscribed)
    }

    /// Connects a session to a site.
    pub(crate) fn connect(&self, site: SocketAddr, node: &str) -> Result<TcpStream, String> {
        peer::connect(site, self.target.tls.as_ref(), self.common.keepalive, node)
    }

    /// Connects a session to a site, as a deployed Go client does: its HELLO has no extensions.
    pub(crate) fn connect_as_go_client(&self, site: SocketAddr) -> Result<TcpStream, String> {
        peer::connect_plain(site, self.common.keepalive)
    }

    /// Connects a session that only announces.
    pub(crate) fn publisher(&self) -> Result<Publisher, String> {
        let (site, tls) = (self.target.publish_at(), self.target.tls.as_ref());
        Publisher::connect(site, tls, self.common.keepalive, "publisher")
    }

    /// Connects sessions, subscribes them to VNIs by their numbers, and waits until each has the view of its group and
    /// knows that its tables are complete.
    ///
    /// Without END_OF_TABLE, the answer to a later KEEPALIVE shows that the server has subscribed a session.
    pub(crate) fn subscribe(
        &self,
        receivers: &mut Receivers,
        vni: &impl Fn(u32) -> Vni,
        audience: &Audience,
        views: Views,
        meanwhile: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let mut streams = Vec::new();
        for number in 0..audience.len() {
            streams.push(self.connect(self.target.subscribe_at(number), "subscriber")?);
        }
        // If routes will come, having them all shows that a session is subscribed.
        let is_silent =
            !self.tells_tables && audience.sessions().all(|(group, _)| views.of(group).len() == 0);
        let tables = self.tables(audience.each());
        receivers.set_goal(Goal { tables, ..Goal::of(&views) }, audience.len());
        for ((group, vnis), mut stream) in audience.sessions().zip(streams) {
            let describe = |error| format!("subscriber: {error}");
            let vnis = vnis.iter().map(|number| vni(*number));
            peer::subscribe(&mut stream, vnis).map_err(describe)?;
            if is_silent {
                peer::barrier(&mut stream, self.common.patience()).map_err(describe)?;
            }
            receivers.add(Subscriber { is_timed: true, ..Subscriber::new(stream, group) })?;
        }
        if is_silent { Ok(()) } else { receivers.wait(self.common.patience(), meanwhile) }
    }

    /// Waits until the servers have finished their work: until each uses next to no CPU time.
    pub(crate) fn settle(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.common.patience();
        let mut before = self.used()?;
        // Sites send each other heartbeats, which wake several threads of each.
        let quiet = if before.as_slice().len() > 1 { 6_000_000 } else { 1_000_000 };
        while Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.used()?;
            // An ended thread takes its time out of the sum.
            let used = now.clone() - before;
            if used.as_slice().iter().all(|used| used.cpu_ns < quiet) {
                return Ok(());
            }
            before = now;
        }
        Err("the server did not become idle in time".into())
    }

    /// Waits until every session has reached the goal and no update comes for a while, so that it
    /// stays there.
    pub(crate) fn stay(
        &self,
        receivers: &Receivers,
        mut meanwhile: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + self.common.patience();
        while Instant::now() < deadline {
            receivers.wait(self.common.patience(), &mut meanwhile)?;
            let before = self.delivered();
            std::thread::sleep(if self.target.has_sites() { SITES_QUIET } else { QUIET });
            meanwhile()?;
            if receivers.remaining() == 0 && self.delivered() == before {
                return receivers.check();
            }
        }
        Err("subscribers still receive updates after --timeout".into())
    }

    /// UPDATEs that subscribers have received so far.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Keeps a session open as long as the server.
    pub(crate) fn keep(&mut self, stream: TcpStream) {
        self.open.push(stream);
    }

    /// Ends a run: verifies the routes that subscribers hold.
    pub(crate) fn verify(
        &mut self,
        receivers: Receivers,
        views: &Views,
    ) -> Result<Outcome, String> {
        let mut outcome = receivers.finish(views)?;
        self.open.append(&mut outcome.streams);
        self.report.faults += outcome.faults;
        Ok(outcome)
    }
}

/// The resources used by the servers and by loadgen itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Used {
    pub(crate) servers: Each<Usage>,
    /// CPU time of all threads of loadgen.
    pub(crate) own_ns: u64,
}

impl Used {
    /// Used so far.
    pub(crate) fn by(servers: &Processes) -> Result<Self, String> {
        Ok(Self { servers: servers.used()?, own_ns: procfs::own_cpu_ns() })
    }

    /// Used at a later time, read by a thread of its own so that nothing else waits.
    pub(crate) fn at(servers: &Processes, time: Instant) -> JoinHandle<Result<Self, String>> {
        let servers = servers.clone();
        std::thread::spawn(move || {
            std::thread::sleep(time.saturating_duration_since(Instant::now()));
            Self::by(&servers)
        })
    }

    /// Used since an earlier time.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { servers: self.servers - earlier.servers, own_ns: self.own_ns - earlier.own_ns }
    }

    /// Reports the deliveries of that time, and the CPU time of both for each delivery and in cores.
    pub(crate) fn report_to(&self, report: &mut RunReport, delivered: f64, seconds: f64) {
        report.add("delivered updates per second", delivered / seconds, "/s");
        report.add_cpu(
            ["server CPU per delivered update", "  in user mode", "  in the kernel"],
            &self.servers,
            delivered,
        );
        let own = self.own_ns as f64;
        report.add("loadgen CPU per delivered update", own / delivered, "ns");
        let cores = self.servers.map(|used| used.cpu_ns as f64 / seconds / 1e9);
        report.add_each("server CPU used", &cores, "cores");
        report.add("loadgen CPU used", own / seconds / 1e9, "cores");
    }
}

/// A time in the unit of histograms.
pub(crate) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Allows this process, and the servers that it starts, as many descriptors as possible.
fn raise_descriptors() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("cannot raise the limit on descriptors: {error}"))
}
