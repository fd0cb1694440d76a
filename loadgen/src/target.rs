//! The server under load: started here, or found running. Several that run are sites, which exchange routes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::common::{Common, Spawn};
use crate::live;
use crate::processes::Processes;
use crate::tls::Tls;

/// How long a server may take to listen, and to stop. An emulated machine is slow to start one.
const START_TIME: Duration = Duration::from_secs(60);
const STOP_TIME: Duration = Duration::from_secs(10);

const NO_PEERS: &str = "this loadgen has no rustbond: build it with \
    `cargo build --release -p metalbond-loadgen --features peers` (needs protoc)";

/// See the module's documentation. Dropping it kills the processes that it started.
#[derive(Debug)]
pub(crate) struct Target {
    /// An address of each site.
    sites: Vec<SocketAddr>,
    /// The processes of all sites, then others that count too; empty when they are not known: a server may be on
    /// another machine.
    pub(crate) processes: Processes,
    /// The settings of sessions over TLS, if the run uses it.
    pub(crate) tls: Option<Tls>,
    /// The name of each process, or of each site whose process is not known, for the report.
    pub(crate) names: Vec<String>,
    child: Option<Child>,
    /// The process that has taken over from the started one.
    successor: Option<Pid>,
    /// The relevant parts of its log.
    said: Arc<Said>,
}

/// The parts of a server's log that explain a failure.
#[derive(Debug, Default)]
struct Said {
    /// Whether a thread of the server has panicked.
    panicked: AtomicBool,
    last: Mutex<String>,
}

impl Said {
    /// Takes the next line.
    fn hear(&self, line: &str) {
        if line.contains("panicked at") {
            self.panicked.store(true, Ordering::Relaxed);
        }
        if !line.trim().is_empty() {
            line.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }

    /// Its last line, the likeliest reason for its end.
    fn last(&self) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_empty() { "it printed nothing".into() } else { format!("its last line: {last}") }
    }
}

impl Target {
    /// The server that the command line selects, listening.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn new(common: &Common, more: &[String]) -> Result<Self, String> {
        if !common.target.is_empty() {
            let tls = || Tls::from_files(&common.tls, common.threads);
            let tls = common.tls.tls.then(tls).transpose()?;
            let mut target = Self::running(&common.target, &common.pid)?;
            target.tls = tls;
            return Ok(target);
        }
        if common.tls.tls && common.spawn != Spawn::Reflector {
            return Err("only the reflector has TLS: leave out --spawn or --tls".into());
        }
        let tls = common.tls.tls.then(|| Tls::for_own_server(common.threads)).transpose()?;
        let carrier = common.tls.tls_carrier.as_deref();
        let for_tls = tls.as_ref().map(|tls| tls.server_args(carrier)).unwrap_or_default();
        let own = own_program()?;
        let (program, mut arguments, name) = match common.spawn {
            Spawn::Reflector => {
                (reflector(common, &own), vec!["server", "--listen", "127.0.0.1:0"], "reflector")
            }
            Spawn::Repeater => (own, vec!["repeater", "--listen", "127.0.0.1:0"], "repeater"),
            Spawn::Rustbond if !cfg!(feature = "peers") => return Err(NO_PEERS.into()),
            Spawn::Rustbond => (own, vec!["rustbond", "--listen", "127.0.0.1:0"], "rustbond"),
        };
        let more = for_tls.iter().chain(more).chain(&common.server_args);
        arguments.extend(more.map(String::as_str));
        let mut command = Command::new(&program);
        command.args(&arguments);
        // Settings in the environment may be meant for another reflector of this machine.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("METALBOND_") {
                command.env_remove(name);
            }
        }
        let child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|error| {
                format!(
                    "cannot start {}: {error}; build it, or name it with --binary",
                    program.display()
                )
            })?;
        let name = if tls.is_some() { format!("{name}, TLS") } else { name.to_owned() };
        let name = std::iter::once(&*name).chain(common.server_args.iter().map(String::as_str));
        let mut target = Self {
            sites: Vec::new(),
            processes: Processes::new(&[child.id()]),
            tls,
            names: vec![name.collect::<Vec<_>>().join(" ")],
            child: Some(child),
            successor: None,
            said: Arc::default(),
        };
        let field = if target.tls.is_some() { " tls=" } else { " listen=" };
        let log = target.child.as_mut().and_then(|child| child.stderr.take());
        let log = log.ok_or("the server has no log")?;
        target.sites.push(learn_address(log, field, common.verbose, Arc::clone(&target.said))?);
        Ok(target)
    }

    /// Running servers, and their processes.
    fn running(sites: &[SocketAddr], processes: &[u32]) -> Result<Self, String> {
        if (1..sites.len()).contains(&processes.len()) {
            return Err(
                "--pid is missing for some --target: give one for each, in their order".into()
            );
        }
        let mut names: Vec<_> = sites.iter().map(ToString::to_string).collect();
        for (number, process) in processes.iter().enumerate() {
            match names.get_mut(number) {
                Some(name) => *name += &format!(", process {process}"),
                None => names.push(format!("process {process}")),
            }
        }
        Ok(Self {
            sites: sites.to_vec(),
            processes: Processes::new(processes),
            tls: None,
            names,
            child: None,
            successor: None,
            said: Arc::default(),
        })
    }

    /// The address of each site.
    pub(crate) fn sites(&self) -> &[SocketAddr] {
        &self.sites
    }

    /// Whether announcements reach some subscribers through another site.
    pub(crate) fn has_sites(&self) -> bool {
        self.sites.len() > 1
    }

    /// The address for sessions that only announce: the first site.
    pub(crate) fn publish_at(&self) -> SocketAddr {
        self.sites[0]
    }

    /// The address for a session that only subscribes, by its number: the other sites in turn, if there are
    /// any.
    pub(crate) fn subscribe_at(&self, number: usize) -> SocketAddr {
        let others = self.sites.get(1..).filter(|others| !others.is_empty());
        let among = others.unwrap_or(&self.sites);
        among[number % among.len()]
    }

    /// The address for a session that announces and subscribes, by its number: all sites in turn.
    pub(crate) fn take_part_at(&self, number: usize) -> SocketAddr {
        self.sites[number % self.sites.len()]
    }

    /// The program of the reflector.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn program(common: &Common) -> Result<PathBuf, String> {
        Ok(reflector(common, &own_program()?))
    }

    /// Another process has taken over from the started one.
    pub(crate) fn is_succeeded_by(&mut self, process: u32) {
        self.successor = Pid::from_raw(process.cast_signed());
    }

    /// Stops a server that loadgen started.
    ///
    /// # Errors
    /// One sentence, when it had already ended, a thread of it had panicked, or it ends with an error.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let look = |child: &mut Child| child.try_wait().map_err(|error| error.to_string());
        if let Some(successor) = self.successor {
            return self.stop_successor(child, successor);
        }
        if let Some(status) = look(&mut child)? {
            return Err(format!("the server ended by itself: {status}; {}", self.said.last()));
        }
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            kill_process(pid, Signal::TERM).map_err(|error| format!("cannot stop: {error}"))?;
        }
        let deadline = Instant::now() + STOP_TIME;
        while Instant::now() < deadline {
            match look(&mut child)? {
                Some(_) if self.said.has_panicked() => {
                    return Err("a thread of the server panicked".into());
                }
                Some(status) if status.success() || status.code().is_none() => return Ok(()),
                Some(status) => {
                    return Err(format!(
                        "loadgen stopped the server, which ended with {status} instead of success; {}",
                        self.said.last()
                    ));
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        self.child = Some(child);
        Err(format!("the server did not stop within {STOP_TIME:?}"))
    }

    /// Stops the last process of a line whose first process loadgen started.
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
            _ if self.said.has_panicked() => Err("a thread of the server panicked".into()),
            _ if !status.success() => {
                Err(format!("the process that handed over ended with {status}"))
            }
            _ => Ok(()),
        }
    }
}

fn own_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("cannot tell where loadgen is: {error}"))
}

/// The reflector's program: the one beside loadgen's, unless it is named.
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

/// Finds the address after `field` in a server's log, and goes on reading, so that the pipe never fills up.
fn learn_address(
    log: ChildStderr,
    field: &'static str,
    verbose: bool,
    said: Arc<Said>,
) -> Result<SocketAddr, String> {
    let (found, address) = mpsc::channel();
    let heard = Arc::clone(&said);
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines() {
            let Ok(line) = line else { break };
            let listen = line.split_once(field).and_then(|(_, rest)| {
                rest.split_ascii_whitespace().next()?.parse::<SocketAddr>().ok()
            });
            if let Some(address) = listen {
                found.send(address).ok(); // only the first address is awaited
            }
            // The warning that lines were left out of the log is no fault here.
            let is_bad = ["WARN", "ERROR", "panicked"].iter().any(|word| line.contains(word))
                && !line.contains("left out of the log");
            heard.hear(&line);
            if verbose || is_bad {
                live::say(&format!("server: {line}"));
            }
        }
    });
    address.recv_timeout(START_TIME).map_err(|error| match error {
        RecvTimeoutError::Disconnected => {
            format!("the server ended before it listened; {}", said.last())
        }
        RecvTimeoutError::Timeout => {
            format!(
                "the server did not say within {START_TIME:?} where it listens; {}",
                said.last()
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_dealt_out_to_sites() {
        let all: Vec<SocketAddr> = (1..=3).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let places = |sites: usize| {
            let target = Target::running(&all[..sites], &[]).unwrap();
            let ports = |at: &dyn Fn(usize) -> SocketAddr| (0..4).map(|n| at(n).port()).collect();
            let subscribers: Vec<_> = ports(&|number| target.subscribe_at(number));
            let others: Vec<_> = ports(&|number| target.take_part_at(number));
            (target.publish_at().port(), subscribers, others)
        };
        assert_eq!(places(1), (1, vec![1, 1, 1, 1], vec![1, 1, 1, 1]));
        assert_eq!(places(2), (1, vec![2, 2, 2, 2], vec![1, 2, 1, 2]));
        assert_eq!(places(3), (1, vec![2, 3, 2, 3], vec![1, 2, 3, 1]));
    }

    #[test]
    fn processes_belong_to_sites_in_their_order() {
        let sites = [4711, 4712].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let names =
            |processes: &[u32]| Target::running(&sites, processes).unwrap().names.join("; ");
        assert_eq!(names(&[]), "127.0.0.1:4711; 127.0.0.1:4712");
        let named = "127.0.0.1:4711, process 7; 127.0.0.1:4712, process 8; process 9";
        assert_eq!(names(&[7, 8, 9]), named);
        assert!(Target::running(&sites, &[7]).is_err());
    }
}
