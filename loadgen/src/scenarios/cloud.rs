//! Hypervisors with virtual machines (VMs) that start, stop and move, and observers that subscribe to all VNIs.
//!
//! A hypervisor does the same as metalnet: at the first VM of a tenant it subscribes to the tenant's VNI, it announces
//! each VM, and at the last VM it unsubscribes. Hypervisors connect to all sites in turn, so VMs also move from site to
//! site. [`crate::placement`] decides which VM starts, stops or moves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metalbond::wire::{Action, Message};

use crate::live::phase;
use crate::load::Load;
use crate::pace::Pace;
use crate::peer;
use crate::placement::{Placement, Size, VmEvent};
use crate::plan::Plan;
use crate::receiver::{Fate, Goal, Interest, Reading, Receivers, Sluggards, Subscriber, Timing};
use crate::report::RunReport;
use crate::route_set::Views;
use crate::run::{Run, Used};
use crate::writers::Writers;

/// How long a tenant stays away from a hypervisor that it has left: see [`Size::absence`].
const ABSENCE_SECONDS: u64 = 2;

/// Flags of `churn` and `slow`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[command(
    mut_arg("vnis", |arg| {
        let few = clap::value_parser!(u32).range(1..=10_000);
        arg.help("Number of VNIs, one for each tenant").visible_alias("tenants").default_value("20").value_parser(few)
    }),
    mut_arg("vnis_per_peer", |arg| {
        let few = clap::value_parser!(u32).range(1..=10_000);
        let help = "Number of VNIs whose VMs a hypervisor may have; it subscribes to a VNI while it has \
                    a VM of it [default: all]";
        arg.help(help).value_parser(few)
    }),
    mut_arg("shared_next_hop", |arg| {
        arg.help("Give all routes of a hypervisor the same next hop, instead of a different one each")
    }),
    mut_arg("seed", |arg| arg.help("Seed of all random choices")),
    mut_arg("duration", |arg| arg.default_value("10"))
)]
pub(crate) struct Options {
    /// Number of hypervisors
    #[arg(long, value_name = "H", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(super) hypervisors: u32,

    /// Number of virtual machines (VMs). About half of them run at any time; each that runs has a route
    #[arg(long, value_name = "M", default_value_t = 2000,
          value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(super) vms: u32,

    /// Number of starts, stops and moves of VMs per second
    #[arg(long, value_name = "RATE", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) rate: u32,

    /// Number of sessions that subscribe to all VNIs, to which the latency is measured
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) observers: u32,

    /// Share of the hypervisors (0 to 1) that read as deployed Go agents do: at most 65,534 bytes of whole messages,
    /// which the agent installs before it reads again
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(super) go_clients: f64,

    /// How long such an agent takes to install or remove a route, in microseconds
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(super) install_time: u32,

    /// Number of hypervisors that send the last message of each write in two parts, half a second apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) halves: usize,

    #[command(flatten)]
    pub(super) load: Load,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "from 0 to 1".into())
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) plan: Plan,
    pub(super) receivers: Receivers,
    placement: Placement,
    writers: Writers,
    interests: Vec<Arc<Interest>>,
    timing: Arc<Timing>,
    hosts: u32,
    observers: u32,
    rate: u32,
    /// UPDATEs sent.
    pub(super) sent: u64,
    /// The messages that are sent next.
    frames: Vec<u8>,
}

/// The events and updates in a stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) seconds: f64,
    pub(super) used: Used,
    pub(super) events: u64,
    pub(super) moves: u64,
    /// UPDATEs sent.
    pub(super) sent: u64,
    /// UPDATEs received, by all sessions together.
    pub(super) delivered: u64,
}

impl Stretch {
    /// Adds the figures of the stretch, in which `observers` observers received `observed` updates.
    pub(super) fn report_to(&self, report: &mut RunReport, observed: u64, observers: u32) {
        let Self { seconds, ref used, events, moves, sent, delivered } = *self;
        let expected = sent * u64::from(observers);
        used.report_to(report, (delivered as f64).max(1.0), seconds);
        report.add("events per second", events as f64 / seconds, "/s");
        report.add("  moves", moves as f64 / seconds, "/s");
        report.add("updates per second", sent as f64 / seconds, "/s");
        report.add("updates to observers", observed as f64, "");
        report.add("updates to observers, expected", expected as f64, "");
        report.add("coalesced pairs", expected.saturating_sub(observed) as f64 / 2.0, "");
    }
}

impl Cloud {
    /// Connects all sessions and starts half of the VMs.
    pub(super) fn new(run: &Run<'_>, options: &Options) -> Result<Self, String> {
        let Options { hypervisors: hosts, vms, rate, observers, ref load, .. } = *options;
        let (tenants, tenants_per_host) = (load.vnis, load.vnis_per_peer());
        if u64::from(hosts) * u64::from(tenants_per_host) < 2 * u64::from(tenants) {
            return Err(format!(
                "there are not two hypervisors for each VNI: give more --hypervisors than {hosts}, \
                 more --vnis-per-peer than {tenants_per_host}, or fewer --vnis"
            ));
        }
        let absence = ABSENCE_SECONDS * u64::from(rate);
        let size = Size { hosts, tenants, vms, absence, tenants_per_host };
        let placement = Placement::new(size, load.seed);
        let places = if load.shared_next_hop { hosts } else { placement.places() };
        let plan = Plan::movable(vms, tenants, places, load.shared_next_hop);
        let plan = plan.ok_or("too many routes in total: lower --vms or --hypervisors")?;
        let plan = run.place(plan.fits(hosts.saturating_add(observers))?)?;
        let timing = Timing::new(plan.routes);
        let mut cloud = Self {
            plan,
            receivers: run.receivers(plan, Some(&timing))?,
            placement,
            writers: Writers::new(run.common.keepalive, options.halves),
            interests: Vec::new(),
            timing,
            hosts,
            observers,
            rate,
            sent: 0,
            frames: Vec::new(),
        };
        cloud.connect(run, options)?;
        for _ in 0..vms / 2 {
            let event = cloud.placement.start().ok_or("there is no room for the VMs")?;
            cloud.carry_out(event, Instant::now())?;
            cloud.writers.tick()?;
        }
        cloud.settle(run)?;
        phase(&format!(
            "{hosts} hypervisors, {tenants} tenants, {} VMs, {observers} observers, seed {}",
            vms / 2,
            load.seed
        ));
        Ok(cloud)
    }

    fn connect(&mut self, run: &Run<'_>, options: &Options) -> Result<(), String> {
        let install = Duration::from_micros(options.install_time.into());
        // Go clients are spread over all hypervisors. With any share above 0 the first hypervisor is a Go client.
        let mut go_clients = 1.0 - options.go_clients;
        for host in 0..self.hosts as usize {
            go_clients += options.go_clients;
            let is_go_client = options.go_clients > 0.0 && go_clients >= 1.0;
            go_clients -= f64::from(u8::from(is_go_client));
            let site = run.target.take_part_at(host);
            let (stream, reading) = if is_go_client {
                (run.connect_as_go_client(site)?, Reading::GoClient { install })
            } else {
                (run.connect(site, &format!("hypervisor-{host}"))?, Reading::Stream)
            };
            let stream = self.writers.add(stream)?;
            let interest = Interest::new(&self.plan);
            self.interests.push(Arc::clone(&interest));
            let subscriber = Subscriber::new(stream, host);
            let interest = Some(interest);
            let subscriber = Subscriber { keeps_alive: false, interest, reading, ..subscriber };
            self.receivers.add(subscriber)?;
            // Connecting all sessions may take longer than a session lasts without a KEEPALIVE.
            self.writers.tick()?;
        }
        for number in 0..self.observers as usize {
            let mut stream = run.connect(run.target.subscribe_at(number), "observer")?;
            peer::subscribe(&mut stream, self.plan.vnis())
                .map_err(|error| format!("observer: {error}"))?;
            // The view of the observers has the number after the last hypervisor's.
            let subscriber = Subscriber::new(stream, self.hosts as usize);
            self.receivers.add(Subscriber { is_timed: true, ..subscriber })?;
        }
        Ok(())
    }

    /// The routes that every session should have now: a view for each hypervisor, then the view of the observers.
    pub(super) fn views(&self) -> Views {
        Views::each(self.placement.views(&self.plan))
    }

    /// Waits until every session has exactly the routes that it should have.
    pub(super) fn settle(&mut self, run: &Run<'_>) -> Result<(), String> {
        let goal = Goal::of(&self.views());
        self.receivers.check_goal(goal, self.hosts as usize + self.observers as usize)?;
        let Self { receivers, writers, .. } = self;
        run.stay(receivers, || writers.tick())?;
        receivers.clear_goal();
        Ok(())
    }

    /// Lets slow readers read the rest, after which they should have the routes that observers have, and waits for all
    /// other sessions.
    pub(super) fn read_out(
        &mut self,
        run: &mut Run<'_>,
        sluggards: Sluggards,
    ) -> Result<Fate, String> {
        let views = self.views();
        let fate = sluggards.finish(views.of(self.hosts as usize), run.common.patience())?;
        run.report.faults += fate.faults;
        self.settle(run)?;
        Ok(fate)
    }

    /// Lets VMs start, stop and move for some time. After the warm-up, measures this as part `part` of the run.
    pub(super) fn churn(
        &mut self,
        run: &Run<'_>,
        part: usize,
        warm_up: f64,
        duration: f64,
    ) -> Result<Stretch, String> {
        let time = Duration::from_secs_f64(warm_up + duration);
        let mut pace = Pace::new(f64::from(self.rate), time);
        let start = pace.due(0) + Duration::from_secs_f64(warm_up);
        self.timing.measure(part, start);
        let before = Used::at(&run.target.processes, start);
        let (mut events, mut moves) = (0, 0);
        let mut at_start = None;
        while let Some(due) = pace.wait() {
            for number in due {
                let due = pace.due(number);
                if due >= start && at_start.is_none() {
                    at_start = Some((self.sent, run.delivered()));
                    (events, moves) = (0, 0);
                }
                if let Some(event) = self.placement.next() {
                    events += 1;
                    moves += u64::from(matches!(event, VmEvent::Move { .. }));
                    self.carry_out(event, due)?;
                }
            }
            self.writers.tick()?;
            self.receivers.check()?;
        }
        let before = before.join().map_err(|_| "a thread panicked")??;
        let used = Used::by(&run.target.processes)?.since(before);
        let seconds = start.elapsed().as_secs_f64();
        self.settle(run)?;
        let (sent, delivered) = at_start.unwrap_or_default();
        Ok(Stretch {
            seconds,
            used,
            events,
            moves,
            sent: self.sent - sent,
            delivered: run.delivered() - delivered,
        })
    }

    fn carry_out(&mut self, event: VmEvent, due: Instant) -> Result<(), String> {
        match event {
            VmEvent::Start { vm, host, first } => self.arrive(vm, host, first, due),
            VmEvent::Stop { vm, host, last } => self.depart(vm, host, last, due),
            VmEvent::Move { vm, from, to, first, last } => {
                self.arrive(vm, to, first, due)?;
                self.depart(vm, from, last, due)
            }
        }
    }

    /// A VM is on a hypervisor from now on: announces it.
    fn arrive(&mut self, vm: u32, host: u32, first: bool, due: Instant) -> Result<(), String> {
        let route = self.placement.route(&self.plan, vm, host);
        let vni = self.plan.vni_of(route);
        self.frames.clear();
        if first {
            self.interests[host as usize].toggle(vni);
            Message::Subscribe(self.plan.vni(vni)).encode_into(&mut self.frames);
        }
        self.timing.note(Action::Add, route, due);
        self.plan.frame(&mut self.frames, Action::Add, route);
        self.sent += 1;
        self.writers.send(host as usize, &self.frames)
    }

    /// A VM is no longer on a hypervisor: withdraws it.
    fn depart(&mut self, vm: u32, host: u32, last: bool, due: Instant) -> Result<(), String> {
        let route = self.placement.route(&self.plan, vm, host);
        let vni = self.plan.vni_of(route);
        self.frames.clear();
        if last {
            self.interests[host as usize].toggle(vni);
        }
        self.timing.note(Action::Remove, route, due);
        self.plan.frame(&mut self.frames, Action::Remove, route);
        if last {
            Message::Unsubscribe(self.plan.vni(vni)).encode_into(&mut self.frames);
        }
        self.sent += 1;
        self.writers.send(host as usize, &self.frames)
    }
}
