//! `metalbond server`.

use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, FromArgMatches};
use metalbond::reflector::{Reflector, ReflectorConfig, SETTINGS};
use tracing::{info, warn};

use super::common::{COMMON, Common};
use super::crash;
use super::handover::{self, Serving};
use super::log::{self, Level};
use super::no_exec;
use super::notify::Manager;
use super::options::{Given, Options, Wrong};
use super::reload::Running;
use super::role;
use super::signals::{Signals, stop_at_once};
use super::values::{counted, host_name};

/// Less is remarked on: a packet that is lost is sent again after 200 ms, and once more after 400.
const SEND_HOLD_USUAL: Duration = Duration::from_secs(1);

/// What a reflector is told.
#[derive(Debug)]
pub(super) struct Args {
    config: ReflectorConfig,
    common: Common,
}

impl clap::Args for Args {
    fn augment_args(command: clap::Command) -> clap::Command {
        role::SERVER.augment(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let config = role::read(SETTINGS, matches);
        Ok(Self { config, common: role::read(&[&COMMON], matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    pub(super) fn config(&self) -> ReflectorConfig {
        let mut config = self.config.clone();
        config.settings.node = host_name();
        config
    }

    /// What is allowed and probably a mistake.
    pub(super) fn remarks(&self) -> Vec<String> {
        let hold = self.config.settings.send_hold;
        let remark = format!(
            "--send-hold {hold:?} is less than the time that a busy peer or a slow network may \
             need: the reflector would close healthy sessions; give {SEND_HOLD_USUAL:?} or more"
        );
        if hold < SEND_HOLD_USUAL { vec![remark] } else { Vec::new() }
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
    let mut config = args.config();
    config.settings.policy = Arc::new(options.policy);
    config.check().map_err(|error| error.to_string())?;
    let log = log::start(args.common.log_format, args.common.level())?;
    for remark in options.remarks.iter().chain(&args.remarks()) {
        warn!("check the configuration: {remark}");
    }
    let running = Running::new(given, options.effective, Arc::clone(&log));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot set up signal handling: {error}"))?;
    let result = runtime.block_on(async {
        // Handlers first, so that a signal during the start is not lost.
        let mut signals =
            Signals::new().map_err(|error| format!("cannot handle signals: {error}"))?;
        let manager = Manager::from_environment();
        let may_exec = config.allow_exec;
        let starting = tokio::task::spawn_blocking(move || handover::start(&config));
        let serving = tokio::select! {
            started = starting => started.map_err(|error| error.to_string())?,
            signal = signals.end_of_start() => {
                info!(signal, "stopped before it had started");
                return Ok(());
            }
        };
        let serving = serving?;
        crash::record(serving.reflector.inspector());
        if !may_exec {
            no_exec::forbid();
        }
        serving.reflector.inspector().on_log_level(move |level| {
            log.replace(level.into());
            Ok(())
        });
        serve(serving, running, signals, manager).await;
        Ok(())
    });
    // What still blocks, such as a start that was given up, holds up nobody.
    runtime.shutdown_background();
    result
}

/// Until a signal ends it, or another process has taken over.
async fn serve(serving: Serving, mut running: Running, mut signals: Signals, manager: Manager) {
    let Serving { reflector, mut offer } = serving;
    let lingers = reflector.inspector().in_force().config.linger;
    manager.ready();
    let inspector = reflector.inspector();
    let reloads = std::cell::Cell::new(false);
    let reload = async || {
        // The process that serves afterwards reads it.
        reloads.set(true);
        inspector.no_handover().await;
        reloads.set(false);
        manager.reloading();
        running.reload(async |options| apply(options, &reflector)).await;
        manager.ready();
    };
    let end = tokio::select! {
        signal = signals.end(reload) => ServerEnd::Signal(signal),
        successor = offer.handed_over() => ServerEnd::HandedOver(successor),
        () = manager.keep_telling(async || health(&reflector)) => unreachable!("it goes on"),
        () = super::memory::give_back() => unreachable!("it goes on"),
    };
    let end = match end {
        ServerEnd::Signal(signal) => {
            let successor = tokio::task::spawn_blocking(|| offer.stop()).await.ok().flatten();
            successor.map_or(ServerEnd::Signal(signal), ServerEnd::HandedOver)
        }
        end @ ServerEnd::HandedOver(_) => end,
    };
    match end {
        ServerEnd::Signal(signal) => {
            manager.stopping();
            info!(signal, "stopping: sending the messages that wait for peers");
        }
        ServerEnd::HandedOver(successor) => {
            manager.handed_over(successor).await;
            if reloads.get() {
                handover::reload(successor);
            }
            info!(successor, "ending: the successor serves all sessions");
        }
    }
    let lingers = lingers && matches!(end, ServerEnd::HandedOver(_));
    let stopped = tokio::task::spawn_blocking(|| reflector.stop());
    tokio::select! {
        _ = stopped => info!("stopped"),
        signal = signals.at_once() => stop_at_once(signal),
        () = manager.deliver() => unreachable!("it goes on"),
    }
    if lingers {
        info!("this process stays until SIGTERM, as --linger asks");
        signals.end(async || {}).await;
    }
}

/// Why it ends.
enum ServerEnd {
    /// This signal ends it.
    Signal(&'static str),
    /// The process with this number serves the sessions.
    HandedOver(u32),
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
    let mut config = args.config();
    config.settings.policy = Arc::new(options.policy.clone());
    if reflector.reload(&config).map_err(|error| vec![error.to_string()])? {
        let classes = options.policy.class_names().count();
        info!(classes, "reloaded [policy]: all routes are judged anew");
    }
    for remark in args.remarks() {
        warn!("check the configuration: {remark}");
    }
    Ok(args.common.level())
}
