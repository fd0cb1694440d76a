//! The signals that ask the process to end, or to read its configuration anew.
//!
//! Supervisors send SIGTERM, some of them more than once, to the process and to its group. So only a second SIGINT,
//! which a person at a terminal sends, ends the process at once.

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

/// What a terminal sends.
const INTERRUPT: &str = if cfg!(unix) { "SIGINT" } else { "Ctrl-C" };

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal {
    /// To end; its name.
    End(&'static str),
    /// To read the configuration anew.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no SIGHUP"))]
    Reload,
}

/// Between the first signal to end and one that means: at once. A terminal and a supervisor that
/// stands between may both pass on what was typed once.
const TWICE: Duration = Duration::from_millis(500);

#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    /// They mean nothing here, and would end the process if nobody took them.
    user: [tokio::signal::unix::Signal; 2],
    /// Whether a reload is still to come.
    asked: bool,
}

#[cfg(unix)]
impl Signals {
    /// Takes them over from here on; SIGPIPE is ignored from the start of the process. Must be called
    /// within a runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
            asked: false,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Signal {
        let [user1, user2] = &mut self.user;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Signal::End(INTERRUPT),
                _ = self.terminate.recv() => return Signal::End("SIGTERM"),
                _ = self.hangup.recv() => return Signal::Reload,
                _ = user1.recv() => debug!("SIGUSR1 means nothing here"),
                _ = user2.recv() => debug!("SIGUSR2 means nothing here"),
            }
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals {
    /// Whether a reload is still to come.
    asked: bool,
}

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { asked: false })
    }

    pub(super) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::End(INTERRUPT)
    }
}

impl Signals {
    /// Waits until one asks to end, while the process starts; its name. A reload comes after the start: the file may
    /// have changed since it was read.
    pub(super) async fn end_of_start(&mut self) -> &'static str {
        loop {
            match self.next().await {
                Signal::End(name) => return name,
                Signal::Reload => self.asked = true,
            }
        }
    }

    /// Waits until one asks to end; its name. `reload` is called for the others: again when one has come
    /// meanwhile, and not waited for at the end.
    pub(super) async fn end(&mut self, mut reload: impl AsyncFnMut()) -> &'static str {
        let mut is_asked = std::mem::take(&mut self.asked);
        loop {
            if !std::mem::take(&mut is_asked)
                && let Signal::End(name) = self.next().await
            {
                return name;
            }
            let mut reloading = pin!(reload());
            loop {
                tokio::select! {
                    () = &mut reloading => break,
                    signal = self.next() => match signal {
                        Signal::End(name) => return name,
                        Signal::Reload => is_asked = true,
                    },
                }
            }
        }
    }

    /// Waits until a person at a terminal asks once more to end, which means: at once. Any other
    /// signal, and any without a terminal, changes nothing. To be called when the first has come.
    pub(super) async fn at_once(&mut self) -> &'static str {
        let from = Instant::now() + TWICE;
        let is_typed = std::io::stdin().is_terminal() || std::io::stderr().is_terminal();
        loop {
            match self.next().await {
                Signal::End(INTERRUPT) if is_typed && Instant::now() >= from => return INTERRUPT,
                Signal::End(name) => info!(signal = name, "stopping already"),
                Signal::Reload => {}
            }
        }
    }
}

/// Ends the process with status 1, whatever is still to be done.
pub(super) fn stop_at_once(signal: &str) -> ! {
    info!(signal, "stopping at once");
    super::log::flush();
    std::process::exit(1)
}
