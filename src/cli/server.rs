//! `metalbond server`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use metalbond::io::{IoChoice, Pin};
use metalbond::reflector::{
    Access, AccessList, Config, Limits, Prefix, Reflector, Reloadable, Settings,
};
use tracing::{info, warn};

use super::common::Common;
use super::log::{self, Level};
use super::notify::Manager;
use super::options::{Given, Options, Wrong};
use super::reload::Running;
use super::signals::{Signals, stop_at_once};
use super::values::{address, counted, duration, host_name, local_address};

/// What a running reflector takes up anew.
pub(super) const RELOADABLE: &[&str] = &[
    "verbose",
    "log-level",
    "batch-delay",
    "send-hold",
    "no-pacing",
    "pace",
    "max-peers",
    "max-routes-per-peer",
    "max-subscriptions-per-peer",
    "allow",
    "deny",
    "max-peers-per-source",
    "connect-rate-per-source",
];

/// Less is remarked on: a packet that is lost is sent again after 200 ms, and once more after 400.
const SEND_HOLD_USUAL: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen for sessions; [::] takes IPv4 as well
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:4711", value_parser = address)]
    listen: SocketAddr,

    /// Keepalive interval in seconds; a session uses the lower of both sides'
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    keepalive: u32,

    /// Where to answer HTTP: a page for people, health, metrics, routes; a port alone is on this machine's loopback
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = local_address)]
    http: Option<SocketAddr>,

    /// Where to put the socket that metalbond ctl asks; its folder must be there
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,

    /// Number of shards, each a thread of its own [default: one per core that may be used, or that --pin names]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    shards: Option<usize>,

    /// Shards that stay awake when there is little to do; the others sleep and wake up with the load
    #[arg(
        long,
        value_name = "N",
        default_value_t = Config::default().min_shards,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024)
    )]
    min_shards: usize,

    /// The cores that shards sit on: auto gives each its own if there are as many shards as cores that may
    /// be used, and else leaves them to the scheduler as off does; or a list such as 0-3,8
    #[arg(long, value_name = "auto|off|LIST", default_value = "auto")]
    pin: Pin,

    /// How to drive sockets: auto takes io_uring where the kernel grants it, else epoll
    #[arg(long, value_name = "auto|uring|epoll", default_value = "auto")]
    io: IoChoice,

    /// For how long a busy shard gathers updates at most before it sends them (500us, 2ms, 0; 1s at most)
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = duration)]
    batch_delay: Duration,

    /// Close a peer that reads nothing for so long although something waits for it
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = duration)]
    send_hold: Duration,

    /// Send to every peer at full speed, also to those that don't say they read a stream; the Go
    /// client loses its session then
    #[arg(long)]
    no_pacing: bool,

    /// Send this many bytes per second to a Go client whose TCP window does not show whether it reads
    #[arg(
        long,
        value_name = "BYTES/s",
        default_value_t = Settings::default().pace,
        value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000)
    )]
    pace: u64,

    /// Don't reflect routes with an unusable next hop: an unspecified, multicast, loopback,
    /// IPv4-mapped or link-local address
    #[arg(long)]
    skip_unusable_next_hops: bool,

    /// Sessions at most, from 1 on; the default becomes what the descriptors allow, if that is less
    #[arg(long, value_name = "N", default_value_t = Config::default().max_peers)]
    max_peers: u64,

    /// Routes that one peer may announce, over all VNIs
    #[arg(long, value_name = "N", default_value_t = Limits::default().routes_per_peer)]
    max_routes_per_peer: u64,

    /// VNIs that one peer may be subscribed to or announce in
    #[arg(long, value_name = "N", default_value_t = Limits::default().subscriptions_per_peer)]
    max_subscriptions_per_peer: u64,

    /// Sources that may connect; when given, no others may. The longest prefix decides
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    allow: Vec<Prefix>,

    /// Sources that may not connect; goes before --allow of the same prefix
    #[arg(long, value_name = "PREFIX", value_delimiter = ',')]
    deny: Vec<Prefix>,

    /// Sessions of one source (an IPv4 address, an IPv6 /64, a link-local address) at most; 0 is any number
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_peers_per_source: u64,

    /// New connections of one source per second, twice as many at once; 0 is any number
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(..=1_000_000)
    )]
    connect_rate_per_source: u32,

    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(super) fn config(&self) -> Config {
        Config {
            listen: self.listen,
            http: self.http,
            control: self.control.clone(),
            shards: self.shards,
            min_shards: self.min_shards,
            pin: self.pin.clone(),
            io: self.io,
            max_peers: self.max_peers,
            access: Access {
                list: AccessList::new(self.allow.iter().copied(), self.deny.iter().copied()),
                max_peers_per_source: self.max_peers_per_source,
                connect_rate_per_source: self.connect_rate_per_source,
            },
            settings: Settings {
                keepalive: self.keepalive,
                batch_delay: self.batch_delay,
                send_hold: self.send_hold,
                pacing: !self.no_pacing,
                pace: self.pace,
                skip_unusable_next_hops: self.skip_unusable_next_hops,
                limits: Limits {
                    routes_per_peer: self.max_routes_per_peer,
                    subscriptions_per_peer: self.max_subscriptions_per_peer,
                },
                node: host_name(),
                ..Settings::default()
            },
            ..Config::default()
        }
    }

    /// What is allowed and probably a mistake.
    pub(super) fn remarks(&self) -> Vec<String> {
        let hold = self.send_hold;
        let told = format!(
            "--send-hold {hold:?} is less than the network and a busy peer may need to answer: \
             sessions that are well will be closed; give {SEND_HOLD_USUAL:?} or more"
        );
        if hold < SEND_HOLD_USUAL { vec![told] } else { Vec::new() }
    }

    /// What no single option can tell to be wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        self.config().check().map_err(|error| error.to_string())
    }
}

/// Runs the reflector until SIGINT or SIGTERM.
pub(super) fn run(given: Given) -> Result<(), Wrong> {
    let options = given.read()?;
    let args: Args = options.args()?;
    let config = args.config();
    config.check().map_err(|error| error.to_string())?;
    let log = log::start(args.common.log_format, args.common.level())?;
    for remark in options.remarks.iter().chain(&args.remarks()) {
        warn!("{remark}");
    }
    let running = Running::new(given, options.effective, RELOADABLE, Arc::clone(&log));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot set up signal handling: {error}"))?;
    let result = runtime.block_on(async {
        // Handlers first, so that a signal during the start is not lost.
        let mut signals =
            Signals::new().map_err(|error| format!("cannot handle signals: {error}"))?;
        let manager = Manager::from_environment();
        let starting = tokio::task::spawn_blocking(move || Reflector::start(&config));
        let reflector = tokio::select! {
            started = starting => started.map_err(|error| error.to_string())?,
            signal = signals.end(async || {}) => {
                info!(signal, "stopped before it had started");
                return Ok(());
            }
        };
        let reflector = reflector.map_err(|error| error.to_string())?;
        reflector.inspector().on_log_level(move |level| {
            log.replace(level.into());
            Ok(())
        });
        serve(reflector, running, signals, manager).await;
        Ok(())
    });
    // What still blocks, such as a start that was given up, holds up nobody.
    runtime.shutdown_background();
    result
}

/// Until a signal ends it.
async fn serve(reflector: Reflector, mut running: Running, mut signals: Signals, manager: Manager) {
    manager.ready();
    let reload = async || {
        manager.reloading();
        running.reload(|options| apply(options, &reflector)).await;
        manager.ready();
    };
    let signal = tokio::select! {
        signal = signals.end(reload) => signal,
        () = manager.keep_telling(async || health(&reflector)) => unreachable!("it goes on"),
        () = super::memory::give_back() => unreachable!("it goes on"),
    };
    manager.stopping();
    info!(signal, "stopping: flushing what is queued");
    let stopped = tokio::task::spawn_blocking(|| reflector.stop());
    tokio::select! {
        _ = stopped => info!("stopped"),
        signal = signals.at_once() => stop_at_once(signal),
        () = manager.deliver() => unreachable!("it goes on"),
    }
}

/// A sentence for the service manager. The watchdog is not fed while it is an error.
fn health(reflector: &Reflector) -> Result<String, String> {
    let stuck = reflector.stuck_shards();
    if stuck.is_empty() {
        let (connections, shards) = (reflector.connections(), reflector.shards());
        let shards = counted(u64::try_from(shards).unwrap_or(u64::MAX), "shard");
        Ok(format!("{}, {shards} on {}", counted(connections, "connection"), reflector.backend()))
    } else {
        let stuck: Vec<_> = stuck.iter().map(u32::to_string).collect();
        Err(format!("stuck shards: {}", stuck.join(", ")))
    }
}

/// Applies what can be while it runs; all of it or nothing. The log level is left to the caller.
fn apply(options: &Options, reflector: &Reflector) -> Result<Level, Vec<String>> {
    let args: Args = options.args().map_err(Wrong::sentences)?;
    let config = args.config();
    let applied = config.check().and_then(|()| reflector.reload(&Reloadable::from(&config)));
    applied.map_err(|error| vec![error.to_string()])?;
    for remark in args.remarks() {
        warn!("{remark}");
    }
    Ok(args.common.level())
}
