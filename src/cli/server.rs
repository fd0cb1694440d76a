//! `metalbond server`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use metalbond::io::IoChoice;
use metalbond::reflector::{Config, Limits, Reflector, Settings};
use tracing::info;

use super::log::{self, Format};

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

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}

/// An address as the reference takes it: `[::]:4711`, `:4711`, `host:4711`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    let mut found = full
        .to_socket_addrs()
        .map_err(|_| "expected ADDRESS:PORT, such as [::]:4711 or 192.0.2.1:4711".to_owned())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// A time with its unit; a bare 0 needs none.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "expected a number and a unit, such as 500us".to_owned())?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "" if number == 0 => Ok(Duration::ZERO),
        _ => Err("expected one of the units us, ms, s".to_owned()),
    }
}

/// The name of this machine, told to peers that know our extensions; empty if it has none.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_the_reference_takes_them() {
        assert_eq!(address(":4711"), Ok(SocketAddr::from(([0u16; 8], 4711))));
        assert_eq!(address("127.0.0.1:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert!(address("nonsense").is_err());
        assert!(address("[::]").is_err());
    }

    #[test]
    fn times_need_a_unit_unless_zero() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("5").is_err());
        assert!(duration("ms").is_err());
        assert!(duration("99999999999999999999s").is_err());
    }
}
