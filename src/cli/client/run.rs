//! A leaf that runs until it is told to stop.

use std::io;
use std::net::SocketAddr;

use metalbond::admin::{ControlSocket, Http, HttpGuard};
use metalbond::client::{LeafConfig, MetalBond, RouteWatch, SyncWatch};
use metalbond::io::bind_when_ready;
use metalbond::wire::Action;
use tracing::{debug, info, warn};

use super::super::event_loop::event_loop;
use super::super::no_exec;
use super::super::notify::Manager;
use super::super::signals::{Signals, stop_at_once};
use super::super::upstream::{Upstream, servers_connected};
use super::installation::Installation;
use super::live::{KernelTables, Live};
use super::settings::ClientSettings;
use super::spec;

/// How long the kernel may take to answer before that is worth a line.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
const SILENT: std::time::Duration = std::time::Duration::from_secs(5);
/// Between looks for that.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
/// Changes told of one batch; of the others only the number.
const LOGGED_MAX: usize = 20;

/// Runs the leaf until SIGINT or SIGTERM. The error is one sentence for the user.
/// `reload` is called for each SIGHUP, with what runs.
pub(super) fn run(
    config: LeafConfig,
    upstream: &Upstream,
    args: &ClientSettings,
    installation: Option<Installation>,
    guard: HttpGuard,
    mut reload: impl AsyncFnMut(&mut Live),
) -> Result<(), String> {
    let runtime = event_loop()?;
    let result = runtime.block_on(async {
        // Handlers first, so that a signal during the start is not lost.
        let mut signals = signals()?;
        let (http, probes) = tokio::select! {
            listening = listen_all(args) => listening?,
            signal = signals.end_of_start() => {
                info!(signal, "stopped before it had started");
                return Ok(());
            }
        };
        let control = args.control.as_deref().map(ControlSocket::open).transpose();
        let control = control.map_err(|error| format!("--control: {error}"))?;
        let manager = Manager::from_environment();
        let installs = installation.as_ref().is_some_and(|it| !it.tables.is_empty());
        let tables = installation.as_ref().map(|it| it.tables.clone()).unwrap_or_default();
        let (leaf, endpoint, kernel) = start(config, args, installation).await?;
        let endpoint = endpoint.with_guard(guard);
        upstream.connect(&leaf).await;
        intend(&leaf, args).await;
        if let Some((listener, address)) = http {
            info!(http = %address, "answering HTTP");
            tokio::spawn(ended(endpoint.clone().serve(listener)));
        }
        let control =
            control.map(|socket| tokio::spawn(ended(endpoint.clone().serve_control(socket))));
        if let Some((listener, address)) = probes {
            info!(health = %address, "answering HTTP about health and metrics");
            tokio::spawn(ended(endpoint.serve_health(listener)));
        }
        if let (Ok(routes), Ok(sync)) = (leaf.watch_routes(None).await, leaf.watch_sync().await) {
            tokio::spawn(log_routes(routes, installs));
            tokio::spawn(log_sync(sync));
        }
        no_exec::forbid();
        manager.ready();
        let mut live = Live::new(leaf.clone(), kernel, upstream, args, tables);
        let reload = async || {
            manager.reloading();
            reload(&mut live).await;
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
        if let Some(control) = control {
            end(control).await;
        }
        Ok(())
    });
    // What still blocks holds up nobody.
    runtime.shutdown_background();
    result
}

fn signals() -> Result<Signals, String> {
    Signals::new().map_err(|error| format!("cannot handle signals: {error}"))
}

/// Ends the task of the control socket, and its file with it.
async fn end<T>(control: tokio::task::JoinHandle<T>) {
    control.abort();
    control.await.ok();
}

/// A sentence for the service manager. The watchdog is not fed while it is an error; servers that
/// are down are none, for a restart would bring none back.
async fn health(leaf: &MetalBond) -> Result<String, String> {
    servers_connected(leaf).await
}

/// The leaf, what tells of it, and where VNIs get their tables.
async fn start(
    config: LeafConfig,
    args: &ClientSettings,
    installation: Option<Installation>,
) -> Result<(MetalBond, Http, Option<KernelTables>), String> {
    let alone = |config| {
        let leaf = MetalBond::start(config);
        (leaf.clone(), Http::new(leaf), None)
    };
    match installation {
        None => Ok(alone(config)),
        // A reload may bring tables; a host on which the leaf cannot write routes does not stop it until then.
        Some(installation) if installation.tables.is_empty() => {
            let installing = install(config.clone(), args, installation).await;
            Ok(installing.unwrap_or_else(|why| {
                warn!(%why, "a reload cannot begin to install routes");
                alone(config)
            }))
        }
        Some(installation) => install(config, args, installation).await,
    }
}

#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
async fn install(
    config: LeafConfig,
    args: &ClientSettings,
    installation: Installation,
) -> Result<(MetalBond, Http, Option<KernelTables>), String> {
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
        warn!(
            %vni,
            "nothing will be installed: --install-routes names the VNI, and --subscribe does not"
        );
        client.complete(vni).await;
    }
    let (kernel, tables) = (client.status(), client.tables());
    tokio::spawn(log_silence(kernel.clone()));
    let leaf = MetalBond::with_network_client(config, client);
    tokio::spawn(super::reports::report(leaf.clone(), kernel.clone()));
    Ok((leaf.clone(), Http::new(leaf).with_kernel(kernel), Some(tables)))
}

/// Logs that the kernel does not answer, which who waits for it cannot say.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
async fn log_silence(kernel: metalbond::netlink::NetlinkStatus) {
    let mut logged = std::time::Duration::ZERO;
    while let Some(status) = kernel.get() {
        let (seconds, before) = (status.silent.as_secs(), logged.as_secs());
        if status.silent < logged {
            info!(seconds = before, "the kernel answers again");
            logged = std::time::Duration::ZERO;
        } else if status.silent >= SILENT && (logged.is_zero() || status.silent >= logged * 2) {
            warn!(
                seconds,
                "the kernel does not answer: the leaf writes no route meanwhile; another program \
                 may hold the kernel's networking lock, or the kernel may be deleting a device \
                 with many nexthop objects (see docs/leaf.md)"
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
) -> Result<(MetalBond, Http, Option<KernelTables>), String> {
    Err("--install-routes needs Linux and a build with the feature netlink".to_owned())
}

/// Says to the leaf what the flags say. A repetition is harmless.
async fn intend(leaf: &MetalBond, args: &ClientSettings) {
    for vni in &args.subscribe {
        if let Err(error) = leaf.subscribe(*vni).await {
            warn!(%error, "cannot apply --subscribe");
        }
    }
    for spec::Announcement { route, .. } in &args.announce {
        if let Err(error) = leaf.announce_route(route.vni, route.destination, route.next_hop).await
        {
            warn!(%error, "cannot apply --announce");
        }
    }
}

/// Logs what comes and goes; in passing only, where it is installed and can be looked at there.
async fn log_routes(mut watch: RouteWatch, installs: bool) {
    while let Some(batch) = watch.next().await {
        let logged = if installs { 0 } else { LOGGED_MAX.min(batch.changes.len()) };
        for change in &batch.changes[..logged] {
            let (vni, to, via) = (change.vni.0, change.destination, change.next_hop);
            if change.action == Action::Add {
                info!(vni, destination = %to, next_hop = %via, "route added");
            } else {
                info!(vni, destination = %to, next_hop = %via, "route removed");
            }
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

/// A listening socket, and its address.
type Listening = (tokio::net::TcpListener, SocketAddr);

/// The sockets for everything, and for health and metrics alone.
async fn listen_all(
    args: &ClientSettings,
) -> Result<(Option<Listening>, Option<Listening>), String> {
    Ok((listen(args.http, "--http").await?, listen(args.health, "--health").await?))
}

async fn listen(address: Option<SocketAddr>, flag: &str) -> Result<Option<Listening>, String> {
    let Some(address) = address else { return Ok(None) };
    let bound = tokio::task::spawn_blocking(move || bind_when_ready(address)).await;
    let listener = bound.map_err(io::Error::from).flatten();
    let listener = listener.and_then(tokio::net::TcpListener::from_std);
    let listening = listener.and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    let listening =
        listening.map_err(|error| format!("cannot listen on {address} for HTTP ({flag}): {error}"));
    listening.map(Some)
}

async fn ended(serving: impl Future<Output = io::Result<()>>) {
    // It ends with the leaf and for no other reason.
    if let Err(error) = serving.await {
        debug!(%error, "HTTP ends");
    }
}
