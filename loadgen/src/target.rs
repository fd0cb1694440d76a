//! The server under load: started here, or found running.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

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
    /// Whether a thread of it has panicked, as its log says.
    panicked: Arc<AtomicBool>,
}

impl Target {
    /// The server that the command line asks for, listening.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn new(common: &Common) -> Result<Self, String> {
        if let Some(address) = common.target {
            let name = match common.pid {
                Some(pid) => format!("{address}, process {pid}"),
                None => address.to_string(),
            };
            let (pid, child, panicked) = (common.pid, None, Arc::default());
            return Ok(Self { address, pid, name, child, panicked });
        }
        let own = std::env::current_exe()
            .map_err(|error| format!("cannot tell where loadgen is: {error}"))?;
        let (program, mut arguments, name) = match common.spawn {
            Spawn::Reflector => {
                let beside: PathBuf = own.with_file_name("metalbond");
                let program = common.binary.clone().unwrap_or(beside);
                (program, vec!["server", "--listen", "127.0.0.1:0"], "reflector")
            }
            Spawn::Repeater => (own, vec!["repeater", "--listen", "127.0.0.1:0"], "repeater"),
            Spawn::Rustbond if !cfg!(feature = "peers") => return Err(NO_PEERS.into()),
            Spawn::Rustbond => (own, vec!["rustbond", "--listen", "127.0.0.1:0"], "rustbond"),
        };
        arguments.extend(common.server_args.iter().map(String::as_str));
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
            panicked: Arc::default(),
        };
        let log = target.child.as_mut().and_then(|child| child.stderr.take());
        let log = log.ok_or("the server has no log")?;
        target.address = learn_address(log, common.verbose, Arc::clone(&target.panicked))?;
        Ok(target)
    }

    /// Stops a server that was started here.
    ///
    /// # Errors
    /// One sentence, when it had ended by itself, a thread of it had panicked, or it ends badly.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let look = |child: &mut Child| child.try_wait().map_err(|error| error.to_string());
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
