//! A proxy that runs until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use metalbond::admin::ProxyHttp;
use metalbond::io::bind_when_ready;
use metalbond::proxy::Proxy;
use tokio::net::TcpListener;
use tracing::{debug, info, warn};

use super::Args;
use crate::cli::event_loop::event_loop;
use crate::cli::log::Level;
use crate::cli::memory;
use crate::cli::no_exec;
use crate::cli::notify::Manager;
use crate::cli::options::{Options, Wrong};
use crate::cli::reload::Running;
use crate::cli::signals::{Signals, stop_at_once};
use crate::cli::upstream::{Upstream, has_session, servers_connected};
use crate::cli::values::counted;

/// An agent that is started after the proxy may not wait for its routes: so the service manager is told that the
/// proxy is ready when there is a session with a reflector, but after so long in any case.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the proxy until SIGINT or SIGTERM. The error is one sentence for the user.
pub(super) fn run(args: &Args, running: Running) -> Result<(), String> {
    let runtime = event_loop()?;
    let result = runtime.block_on(async {
        // Handlers first, so that a signal during the start is not lost.
        let mut signals =
            Signals::new().map_err(|error| format!("cannot handle signals: {error}"))?;
        tokio::select! {
            started = start(args) => {
                let (proxy, http) = started?;
                serve(proxy, http, (running, args.upstream.clone()), signals).await;
            }
            signal = signals.end_of_start() => info!(signal, "stopped before it had started"),
        }
        Ok(())
    });
    // What still blocks holds up nobody.
    runtime.shutdown_background();
    result
}

async fn start(args: &Args) -> Result<(Proxy, Option<TcpListener>), String> {
    let http = match args.agents.http {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let proxy = Proxy::start(&args.config(), args.leaf()).await;
    let proxy = proxy.map_err(|error| error.to_string())?;
    args.upstream.connect(proxy.leaf()).await;
    Ok((proxy, http))
}

/// Until a signal ends it.
async fn serve(
    proxy: Proxy,
    http: Option<TcpListener>,
    (mut running, mut upstream): (Running, Upstream),
    mut signals: Signals,
) {
    no_exec::forbid();
    let manager = Manager::from_environment();
    if let Some(listener) = http {
        tokio::spawn(answer(listener, ProxyHttp::new(&proxy)));
    }
    let reload = async || {
        manager.reloading();
        running.reload(async |options| apply(options, &proxy, &mut upstream).await).await;
        manager.ready();
    };
    let become_ready = async {
        if let Ok(watch) = proxy.leaf().watch_peers().await
            && tokio::time::timeout(PATIENCE, has_session(watch, |_| true)).await.is_err()
        {
            warn!(
                "no session with a reflector yet; the proxy serves agents, and sends them \
                 routes as they come"
            );
        }
        manager.ready();
        std::future::pending::<()>().await;
    };
    let signal = tokio::select! {
        signal = signals.end(reload) => signal,
        () = become_ready => unreachable!("it goes on"),
        () = manager.keep_telling(async || health(&proxy).await) => unreachable!("it goes on"),
        () = memory::give_back() => unreachable!("it goes on"),
    };
    manager.stopping();
    info!(signal, "stopping: sending the messages that wait for agents");
    tokio::select! {
        () = proxy.stop() => info!("stopped"),
        signal = signals.at_once() => stop_at_once(signal),
        () = manager.deliver() => unreachable!("it goes on"),
    }
}

/// A sentence for the service manager. The watchdog is not fed while it is an error; reflectors that are down are
/// none, for a restart would bring none back.
async fn health(proxy: &Proxy) -> Result<String, String> {
    if proxy.is_stuck() {
        return Err("the proxy's own reflector stands still".to_owned());
    }
    let servers = servers_connected(proxy.leaf()).await?;
    Ok(format!("{}, {servers}", counted(proxy.connections(), "agent")))
}

/// Applies what can be while it runs; all of it or nothing. The log level is left to the caller. `upstream` is what it
/// was told last of its sessions with reflectors.
async fn apply(
    options: &Options,
    proxy: &Proxy,
    upstream: &mut Upstream,
) -> Result<Level, Vec<String>> {
    let args: Args = options.args().map_err(Wrong::sentences)?;
    args.check().map_err(|sentence| vec![sentence])?;
    proxy.reload(&args.config()).map_err(|error| vec![error.to_string()])?;
    args.upstream.replace(upstream, proxy.leaf()).await;
    *upstream = args.upstream.clone();
    for remark in args.remarks() {
        warn!("check the configuration: {remark}");
    }
    Ok(args.common.level())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = tokio::task::spawn_blocking(move || bind_when_ready(address)).await;
    let listener = bound.map_err(io::Error::from).flatten();
    let listener = listener.and_then(TcpListener::from_std);
    listener.map_err(|error| format!("cannot listen on {address} for HTTP: {error}"))
}

async fn answer(listener: TcpListener, http: ProxyHttp) {
    if let Ok(address) = listener.local_addr() {
        info!(http = %address, "answering HTTP");
    }
    // It ends with the proxy and for no other reason.
    if let Err(error) = http.serve(listener).await {
        debug!(%error, "HTTP ends");
    }
}
