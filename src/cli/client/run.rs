//! A leaf that runs until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use metalbond::admin::Http;
use metalbond::client::{LeafConfig, MetalBond, PeerState, RouteWatch, SyncWatch};
use metalbond::io::bind_when_ready;
use metalbond::wire::Action;
use tracing::{debug, info, warn};

use super::super::notify::Manager;
use super::super::signals::{Signals, stop_at_once};
use super::super::values::host_name;
use super::installation::Installation;
use super::settings::ClientSettings;

/// How long the leaf may take to answer before it counts as stuck.
const STUCK: Duration = Duration::from_secs(2);
/// How long the kernel may take to answer before that is worth a line.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
const SILENT: Duration = Duration::from_secs(5);
/// Between looks for that.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
const LOOK: Duration = Duration::from_secs(1);
/// Changes told of one batch; of the others only the number.
const LOGGED_MAX: usize = 20;

/// Runs the leaf until SIGINT or SIGTERM. The error is one sentence for the user.
/// `reload` is called for each SIGHUP.
pub(super) fn run(
    args: ClientSettings,
    installation: Option<Installation>,
    mut reload: impl AsyncFnMut(),
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot set up the event loop: {error}"))?;
    let result = runtime.block_on(async {
        // Handlers first, so that a signal during the start is not lost.
        let mut signals =
            Signals::new().map_err(|error| format!("cannot handle signals: {error}"))?;
        let http = match args.http {
            Some(address) => tokio::select! {
                listener = listen(address) => Some(listener?),
                signal = signals.end(async || {}) => {
                    info!(signal, "stopped before it had started");
                    return Ok(());
                }
            },
            None => None,
        };
        let manager = Manager::from_environment();
        let installs = installation.is_some();
        let (leaf, endpoint) = start(&args, installation).await?;
        intend(&leaf, &args).await;
        if let Some(listener) = http {
            tokio::spawn(serve(listener, endpoint));
        }
        if let (Ok(routes), Ok(sync)) = (leaf.watch_routes(None).await, leaf.watch_sync().await) {
            tokio::spawn(log_routes(routes, installs));
            tokio::spawn(log_sync(sync));
        }
        manager.ready();
        let reload = async || {
            manager.reloading();
            reload().await;
            manager.ready();
        };
        let signal = tokio::select! {
            signal = signals.end(reload) => signal,
            () = manager.keep_telling(async || health(&leaf).await) => unreachable!("it goes on"),
        };
        manager.stopping();
        info!(signal, "stopping");
        tokio::select! {
            () = leaf.shutdown() => info!("stopped"),
            signal = signals.at_once() => stop_at_once(signal),
            () = manager.deliver() => unreachable!("it goes on"),
        }
        Ok(())
    });
    // What still blocks holds up nobody.
    runtime.shutdown_background();
    result
}

/// A sentence for the service manager. The watchdog is not fed while it is an error; servers that
/// are down are none, for a restart would bring none back.
async fn health(leaf: &MetalBond) -> Result<String, String> {
    match tokio::time::timeout(STUCK, leaf.peers()).await {
        Ok(Ok(peers)) => {
            let is_up = |state: PeerState| state == PeerState::Established;
            let up = peers.iter().filter(|(_, peer)| is_up(peer.state)).count();
            Ok(format!("{up} of {} servers connected", peers.len()))
        }
        _ => Err("the leaf does not answer".to_owned()),
    }
}

/// The leaf, and what tells of it.
async fn start(
    args: &ClientSettings,
    installation: Option<Installation>,
) -> Result<(MetalBond, Http), String> {
    let config = LeafConfig {
        keepalive: args.keepalive,
        stale_time: args.stale_time,
        node: host_name(),
        ..LeafConfig::default()
    };
    match installation {
        None => {
            let leaf = MetalBond::start(config);
            Ok((leaf.clone(), Http::new(leaf)))
        }
        Some(installation) => install(config, args, installation).await,
    }
}

#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
async fn install(
    config: LeafConfig,
    args: &ClientSettings,
    installation: Installation,
) -> Result<(MetalBond, Http), String> {
    use metalbond::client::NetworkClient as _;
    use metalbond::netlink::{self, Mode, NetlinkClient};

    use super::settings::Nexthops;

    let unasked: Vec<_> =
        installation.tables.keys().filter(|vni| !args.subscribe.contains(vni)).copied().collect();
    let netlink = netlink::NetlinkConfig {
        device: installation.device,
        tables: installation.tables,
        ipv4_only: args.ipv4_only,
        excluded: args.exclude_route_type.0.clone(),
        protocol: args.rt_proto,
        metric: args.route_metric,
        mode: match args.nexthops {
            Nexthops::Objects | Nexthops::Auto => Mode::Objects,
            Nexthops::Inline => Mode::Inline,
        },
        cleanup: args.cleanup,
        ..netlink::NetlinkConfig::default()
    };
    let mut client = NetlinkClient::start(netlink).map_err(|error| error.to_string())?;
    for vni in unasked {
        warn!(%vni, "nothing will be installed: --install-routes without --subscribe");
        client.complete(vni).await;
    }
    let kernel = client.status();
    tokio::spawn(log_silence(kernel.clone()));
    let leaf = MetalBond::with_network_client(config, client);
    Ok((leaf.clone(), Http::new(leaf).with_kernel(kernel)))
}

/// Logs that the kernel does not answer, which who waits for it cannot say.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
async fn log_silence(kernel: metalbond::netlink::NetlinkStatus) {
    let mut logged = Duration::ZERO;
    while let Some(status) = kernel.get() {
        let (seconds, before) = (status.silent.as_secs(), logged.as_secs());
        if status.silent < logged {
            info!(seconds = before, "the kernel answers again");
            logged = Duration::ZERO;
        } else if status.silent >= SILENT && (logged.is_zero() || status.silent >= logged * 2) {
            warn!(
                seconds,
                "the kernel does not answer: no route is written meanwhile; another program may hold \
                 the kernel's lock of networking, or a device with many nexthop objects may be going \
                 away (see docs/leaf.md)"
            );
            logged = status.silent;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
async fn install(
    _: LeafConfig,
    _: &ClientSettings,
    _: Installation,
) -> Result<(MetalBond, Http), String> {
    Err("--install-routes needs Linux and a build with the feature netlink".to_owned())
}

/// Says to the leaf what the flags say. A repetition is harmless.
async fn intend(leaf: &MetalBond, args: &ClientSettings) {
    for server in &args.server {
        if let Err(error) = leaf.add_peer(server, None).await {
            warn!(%error, "--server");
        }
    }
    for vni in &args.subscribe {
        if let Err(error) = leaf.subscribe(*vni).await {
            warn!(%error, "--subscribe");
        }
    }
    for route in &args.announce {
        if let Err(error) = leaf.announce_route(route.vni, route.destination, route.next_hop).await
        {
            warn!(%error, "--announce");
        }
    }
}

/// Logs what comes and goes; in passing only, where it is installed and can be looked at there.
async fn log_routes(mut watch: RouteWatch, installs: bool) {
    while let Some(batch) = watch.next().await {
        let logged = if installs { 0 } else { LOGGED_MAX.min(batch.changes.len()) };
        for change in &batch.changes[..logged] {
            info!(
                vni = change.vni.0,
                destination = %change.destination,
                next_hop = %change.next_hop,
                "route {}", if change.action == Action::Add { "added" } else { "removed" },
            );
        }
        match batch.changes.len() - logged {
            0 => {}
            more if installs => debug!(changes = more, "routes changed"),
            more => info!(more, "further routes changed"),
        }
    }
}

async fn log_sync(mut watch: SyncWatch) {
    while let Some(changes) = watch.next().await {
        for change in changes {
            debug!(peer = change.peer, vni = change.vni.0, in_sync = change.in_sync, "table");
        }
    }
}

async fn listen(address: SocketAddr) -> Result<tokio::net::TcpListener, String> {
    let bound = tokio::task::spawn_blocking(move || bind_when_ready(address)).await;
    let listener = bound.map_err(io::Error::from).flatten();
    let listener = listener.and_then(tokio::net::TcpListener::from_std);
    listener.map_err(|error| format!("cannot listen on {address} for HTTP: {error}"))
}

async fn serve(listener: tokio::net::TcpListener, http: Http) {
    if let Ok(address) = listener.local_addr() {
        info!(http = %address, "answering HTTP");
    }
    if let Err(error) = http.serve(listener).await {
        warn!(%error, "HTTP ends");
    }
}
