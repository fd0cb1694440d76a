//! `metalbond server`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use metalbond::io::IoChoice;
use metalbond::reflector::{Access, Config, Limits, Reflector, Settings};
use tracing::info;

use super::log::{self, Format};
use super::signals::Signals;
use super::values::{address, duration, host_name};

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

    /// Where to answer HTTP (/livez)
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    http: Option<SocketAddr>,

    /// Log more: connections, and what the runtime does
    #[arg(short, long)]
    verbose: bool,

    /// Number of shards, each a thread of its own [default: one per core that may be used]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    shards: Option<usize>,

    /// How to drive sockets: auto takes io_uring where the kernel grants it, else epoll
    #[arg(long, value_name = "auto|uring|epoll", default_value = "auto")]
    io: IoChoice,

    /// For how long a busy shard gathers updates at most before it sends them (500us, 2ms, 0)
    #[arg(long, value_name = "TIME", default_value = "500us", value_parser = duration)]
    batch_delay: Duration,

    /// Close a peer that reads nothing for so long although something waits for it
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = duration)]
    send_hold: Duration,

    /// Send to every peer at full speed, also to those that don't say they read a stream; the Go
    /// client loses its session then
    #[arg(long)]
    no_pacing: bool,

    /// Sessions at most
    #[arg(long, value_name = "N", default_value_t = Config::default().max_peers)]
    max_peers: u64,

    /// Routes that one peer may announce, over all VNIs
    #[arg(long, value_name = "N", default_value_t = Limits::default().routes_per_peer)]
    max_routes_per_peer: u64,

    /// VNIs that one peer may be subscribed to or announce in
    #[arg(long, value_name = "N", default_value_t = Limits::default().subscriptions_per_peer)]
    max_subscriptions_per_peer: u64,

    /// Log lines for people or for programs
    #[arg(long, value_name = "text|json", default_value = "text")]
    log_format: Format,
}

/// Runs the reflector until SIGINT or SIGTERM. The error is one sentence for the user.
pub(super) fn run(args: Args) -> Result<(), String> {
    log::start(args.log_format, args.verbose);
    let config = Config {
        listen: args.listen,
        http: args.http,
        shards: args.shards,
        io: args.io,
        max_peers: args.max_peers,
        access: Access::default(),
        settings: Settings {
            keepalive: args.keepalive,
            batch_delay: args.batch_delay,
            send_hold: args.send_hold,
            pacing: !args.no_pacing,
            limits: Limits {
                routes_per_peer: args.max_routes_per_peer,
                subscriptions_per_peer: args.max_subscriptions_per_peer,
            },
            node: host_name(),
            ..Settings::default()
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot set up signal handling: {error}"))?;
    // Handlers first, so that a signal during the start is not lost.
    let mut signals = {
        let _guard = runtime.enter();
        Signals::new().map_err(|error| format!("cannot handle signals: {error}"))?
    };
    let reflector = Reflector::start(&config).map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let signal = signals.next().await;
        info!(signal, "stopping: flushing what is queued; a second signal stops at once");
        let stopped = tokio::task::spawn_blocking(|| reflector.stop());
        tokio::select! {
            _ = stopped => info!("stopped"),
            signal = signals.next() => {
                info!(signal, "stopping at once");
                std::process::exit(1);
            }
        }
    });
    Ok(())
}
