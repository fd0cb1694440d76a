//! A reflector's process takes over from another, and hands over to the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use metalbond::reflector::Reflector;

/// A reflector that serves, and what hands it over.
pub(super) struct Serving {
    pub(super) reflector: Reflector,
    pub(super) offer: Offer,
}

pub(super) use imp::{Offer, reload, start};

/// A request to the thread of [`starter`]: the program, and the channel for the number of its process.
type Wanted = (Option<PathBuf>, Sender<Result<u32, String>>);

/// A thread that starts successors. A process inherits the priority and the cores of the thread that starts it, and
/// the thread that answers operators gives way to all others.
fn starter() -> std::io::Result<impl Fn(Option<&Path>) -> Result<u32, String> + Send + Sync> {
    let (want, wanted) = channel::<Wanted>();
    let run = move || {
        for (program, reply) in wanted {
            reply.send(start_successor(program.as_deref())).ok();
        }
    };
    std::thread::Builder::new().name("successors".into()).spawn(run)?;
    Ok(move |program: Option<&Path>| {
        let (reply, started) = channel();
        let ended = || "the thread that starts processes has ended".to_owned();
        want.send((program.map(Path::to_owned), reply)).map_err(|_| ended())?;
        started.recv().map_err(|_| ended())?
    })
}

/// Starts a process with this one's arguments that takes over; its number.
fn start_successor(program: Option<&Path>) -> Result<u32, String> {
    let program = match program {
        Some(program) => program.to_owned(),
        None => own_program().map_err(|error| format!("cannot find this program: {error}"))?,
    };
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--takeover") {
        arguments.push("--takeover".into());
    }
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null());
    // The service manager's watchdog is the successor's from then on.
    command.env_remove("WATCHDOG_PID");
    let started = command.spawn();
    let mut child =
        started.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    let process = child.id();
    // Whatever becomes of it, it is no zombie.
    let wait = move || match child.wait() {
        Ok(status) => tracing::debug!(process, %status, "the successor has ended"),
        Err(error) => tracing::debug!(process, %error, "cannot wait for the successor"),
    };
    std::thread::Builder::new().name("successor".into()).spawn(wait).ok();
    Ok(process)
}

/// The program that runs, or that which has replaced it in its place.
fn own_program() -> std::io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    // As Linux shows a file that has been replaced.
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

#[cfg(target_os = "linux")]
mod imp {
    use metalbond::handover;
    use metalbond::reflector::ReflectorConfig;
    use tracing::{error, warn};

    use super::Serving;

    /// Hands over to a process that asks.
    pub(in crate::cli) struct Offer(Option<handover::Offer>);

    /// Starts a reflector, or takes over.
    pub(in crate::cli) fn start(config: &ReflectorConfig) -> Result<Serving, String> {
        let started =
            handover::start(config, config.takeover).map_err(|error| error.to_string())?;
        let handover::Started { reflector, listener, .. } = started;
        match super::starter() {
            Ok(start) => drop(reflector.inspector().on_handover(start)),
            Err(error) => warn!(%error, "this reflector will start no successor"),
        }
        let offer = listener.map(|listener| handover::Offer::begin(&reflector, listener));
        let offer = offer.and_then(|offer| {
            offer.inspect_err(|error| warn!(%error, "this reflector will not hand over")).ok()
        });
        Ok(Serving { reflector, offer: Offer(offer) })
    }

    impl Offer {
        /// Waits until another process serves; its number.
        pub(in crate::cli) async fn handed_over(&mut self) -> u32 {
            match &mut self.0 {
                Some(offer) => offer.handed_over().await,
                None => std::future::pending().await,
            }
        }

        /// Calls off what is under way. Blocks until that is clear; the process that has taken over, if one
        /// has.
        pub(in crate::cli) fn stop(self) -> Option<u32> {
            self.0.and_then(handover::Offer::stop)
        }
    }

    /// Has a process read its configuration anew.
    pub(in crate::cli) fn reload(process: u32) {
        let number = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
        let Some(number) = number else { return };
        if let Err(error) = rustix::process::kill_process(number, rustix::process::Signal::HUP) {
            error!(process, %error, "cannot pass SIGHUP on to the process that has taken over");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use metalbond::reflector::{Reflector, ReflectorConfig};

    use super::Serving;

    /// There is no handover on this system.
    pub(in crate::cli) struct Offer;

    pub(in crate::cli) fn start(config: &ReflectorConfig) -> Result<Serving, String> {
        if config.takeover {
            return Err("--takeover is for Linux; start without it".to_owned());
        }
        let reflector = Reflector::start(config).map_err(|error| error.to_string())?;
        Ok(Serving { reflector, offer: Offer })
    }

    impl Offer {
        pub(in crate::cli) async fn handed_over(&mut self) -> u32 {
            std::future::pending().await
        }

        pub(in crate::cli) fn stop(self) -> Option<u32> {
            None
        }
    }

    pub(in crate::cli) fn reload(_: u32) {}
}
