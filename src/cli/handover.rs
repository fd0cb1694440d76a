//! A reflector's process takes over from another, and hands over to the next.

#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::mpsc::{Sender, channel};

use metalbond::reflector::Reflector;

#[cfg(target_os = "linux")]
use super::successor;

/// A reflector that serves, and what hands it over.
pub(super) struct Serving {
    pub(super) reflector: Reflector,
    pub(super) offer: Offer,
}

pub(super) use imp::{Offer, reload, start};

/// A request to the thread of [`starter`]: the program, and the channel for the number of its process.
#[cfg(target_os = "linux")]
type Wanted = (Option<PathBuf>, Sender<Result<u32, String>>);

/// A thread that starts successors. A process inherits the priority and the cores of the thread that starts it, and
/// the thread that answers operators gives way to all others.
#[cfg(target_os = "linux")]
fn starter() -> std::io::Result<impl Fn(Option<&Path>) -> Result<u32, String> + Send + Sync> {
    let (want, wanted) = channel::<Wanted>();
    let run = move || {
        for (program, reply) in wanted {
            let arguments = std::env::args_os().skip(1);
            reply.send(successor::start(program.as_deref(), arguments)).ok();
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

#[cfg(target_os = "linux")]
mod imp {
    use metalbond::handover;
    use metalbond::reflector::ReflectorConfig;
    use tracing::{error, warn};

    use super::Serving;
    use crate::cli::successor::Helper;

    /// Hands over to a process that asks.
    pub(in crate::cli) struct Offer(Option<handover::Offer>);

    /// Starts a reflector, or takes over.
    pub(in crate::cli) fn start(config: &ReflectorConfig) -> Result<Serving, String> {
        // Before anything else, for it is of no use with what this process has later.
        let helper = (config.control.is_some() && !config.allow_exec).then(Helper::start);
        let started =
            handover::start(config, config.takeover).map_err(|error| error.to_string())?;
        let handover::Started { reflector, listener, .. } = started;
        let inspector = reflector.inspector();
        let is_known = match helper {
            Some(helper) => helper.map(|helper| {
                inspector.on_handover(move |program| helper.start_successor(program))
            }),
            None if config.allow_exec => super::starter().map(|start| inspector.on_handover(start)),
            None => Ok(false),
        };
        if let Err(error) = is_known {
            warn!(%error, "this reflector will start no successor: metalbond ctl handover will fail");
        }
        let offer = listener.map(|listener| handover::Offer::begin(&reflector, listener));
        let offer = offer.and_then(|offer| {
            let warn = |error: &_| {
                warn!(%error, "this reflector will not hand over: a process with --takeover will not get its sessions");
            };
            offer.inspect_err(warn).ok()
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
