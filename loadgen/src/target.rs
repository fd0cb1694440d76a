//! The server under load: started here, or found running.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::common::{Common, Spawn};
use crate::live;

/// How long a server may take to listen, and to stop.
const START_TIME: Duration = Duration::from_secs(10);
const STOP_TIME: Duration = Duration::from_secs(10);

const NO_PEERS: &str = "this loadgen has no rustbond: build it with \
    `cargo build --release -p metalbond-loadgen --features peers` (needs protoc)";

/// See the module's documentation. Dropping it kills what it started.
#[derive(Debug)]
pub(crate) struct Target {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its process, where that is known: it may be on another machine.
    pub(crate) pid: Option<u32>,
    /// What it is, for the report.
    pub(crate) name: String,
    child: Option<Child>,
    /// The process that has taken over from it.
    successor: Option<Pid>,
    /// Whether a thread of it has panicked, as its log says.
    panicked: Arc<AtomicBool>,
}

impl Target {
    /// The server that the command line asks for, listening.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn new(common: &Common, more: &[String]) -> Result<Self, String> {
        if let Some(address) = common.target {
            let name = match common.pid {
                Some(pid) => format!("{address}, process {pid}"),
                None => address.to_string(),
            };
            let (pid, child, panicked) = (common.pid, None, Arc::default());
            return Ok(Self { address, pid, name, child, successor: None, panicked });
        }
        let own = own_program()?;
        let (program, mut arguments, name) = match common.spawn {
            Spawn::Reflector => {
                (reflector(common, &own), vec!["server", "--listen", "127.0.0.1:0"], "reflector")
            }
            Spawn::Repeater => (own, vec!["repeater", "--listen", "127.0.0.1:0"], "repeater"),
            Spawn::Rustbond if !cfg!(feature = "peers") => return Err(NO_PEERS.into()),
            Spawn::Rustbond => (own, vec!["rustbond", "--listen", "127.0.0.1:0"], "rustbond"),
        };
        arguments.extend(more.iter().chain(&common.server_args).map(String::as_str));
        let child = Command::new(&program)
            .args(&arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "cannot start {}: {error}; build it, or name it with --binary",
                    program.display()
                )
            })?;
        let name = std::iter::once(name).chain(common.server_args.iter().map(String::as_str));
        let mut target = Self {
            address: SocketAddr::from(([0; 4], 0)),
            pid: Some(child.id()),
            name: name.collect::<Vec<_>>().join(" "),
            child: Some(child),
            successor: None,
            panicked: Arc::default(),
        };
        let log = target.child.as_mut().and_then(|child| child.stderr.take());
        let log = log.ok_or("the server has no log")?;
        target.address = learn_address(log, common.verbose, Arc::clone(&target.panicked))?;
        Ok(target)
    }

    /// The program of the reflector.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn program(common: &Common) -> Result<PathBuf, String> {
        Ok(reflector(common, &own_program()?))
    }

    /// Another process has taken over from the one that was started here.
    pub(crate) fn is_succeeded_by(&mut self, process: u32) {
        self.successor = Pid::from_raw(process.cast_signed());
    }

    /// Stops a server that was started here.
    ///
    /// # Errors
    /// One sentence, when it had ended by itself, a thread of it had panicked, or it ends badly.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let look = |child: &mut Child| child.try_wait().map_err(|error| error.to_string());
        if let Some(successor) = self.successor {
            return self.stop_successor(child, successor);
        }
        if let Some(status) = look(&mut child)? {
            return Err(format!("the server ended by itself: {status}"));
        }
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            kill_process(pid, Signal::TERM).map_err(|error| format!("cannot stop: {error}"))?;
        }
        let deadline = Instant::now() + STOP_TIME;
        while Instant::now() < deadline {
            match look(&mut child)? {
                Some(_) if self.panicked.load(Ordering::Relaxed) => {
                    return Err("a thread of the server panicked".into());
                }
                Some(status) if status.success() || status.code().is_none() => return Ok(()),
                Some(status) => return Err(format!("the server stopped badly: {status}")),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        self.child = Some(child);
        Err(format!("the server did not stop within {STOP_TIME:?}"))
    }

    /// Stops the last process of a line, of which the first was started here.
    fn stop_successor(&self, mut first: Child, successor: Pid) -> Result<(), String> {
        let failed = |error| format!("cannot stop the process that has taken over: {error}");
        let handle = pidfd_open(successor, PidfdFlags::empty()).map_err(failed)?;
        pidfd_send_signal(&handle, Signal::TERM).map_err(failed)?;
        let mut ended = [PollFd::new(&handle, PollFlags::IN)];
        let time = Timespec::try_from(STOP_TIME).map_err(|error| error.to_string())?;
        let count = poll(&mut ended, Some(&time)).map_err(failed)?;
        let status = first.wait().map_err(|error| error.to_string())?;
        match count {
            0 => Err(format!("the server did not stop within {STOP_TIME:?}")),
            _ if self.panicked.load(Ordering::Relaxed) => {
                Err("a thread of the server panicked".into())
            }
            _ if !status.success() => Err(format!("the server handed over badly: {status}")),
            _ => Ok(()),
        }
    }
}

fn own_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot tell where loadgen is: {error}"))
}

/// The reflector's program: beside loadgen's, if it is not named.
fn reflector(common: &Common, own: &Path) -> PathBuf {
    common.binary.clone().unwrap_or_else(|| own.with_file_name("metalbond"))
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Finds `listen=ADDRESS` in a server's log, and goes on reading, so that it never fills up.
fn learn_address(
    log: ChildStderr,
    verbose: bool,
    panicked: Arc<AtomicBool>,
) -> Result<SocketAddr, String> {
    let (found, address) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines() {
            let Ok(line) = line else { break };
            let listen = line.split_once("listen=").and_then(|(_, rest)| {
                rest.split_ascii_whitespace().next()?.parse::<SocketAddr>().ok()
            });
            if let Some(address) = listen {
                found.send(address).ok(); // nobody waits for a second one
            }
            // Many sessions at once are nothing to be warned of here.
            let is_bad = ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word))
                && !line.contains("left out of the log");
            if line.contains("panicked at") {
                panicked.store(true, Ordering::Relaxed);
            }
            if verbose || is_bad {
                live::say(&format!("server: {line}"));
            }
        }
    });
    address.recv_timeout(START_TIME).map_err(|_| "the server never said where it listens".into())
}
