//! Processes that serve, hand over and take over.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::access::{Access, AccessList};
use crate::config::{ReflectorConfig, TlsConfig};
use crate::handover::{Offer, Started, start};
use crate::io::IoChoice;

/// The action before which a process fails, and how.
pub(super) const FAULT: &str = "HANDOVER_FAULT";
const CONTROL: &str = "HANDOVER_CONTROL";
const IO: &str = "HANDOVER_IO";
const SHARDS: &str = "HANDOVER_SHARDS";
/// A file with a certificate and its key. If set, sessions may come over TLS too.
pub(super) const TLS: &str = "HANDOVER_TLS";
/// The prefixes whose sources may have no session, if set.
const DENY: &str = "HANDOVER_DENY";
/// If set, the log of all processes goes to standard error.
const LOG: &str = "HANDOVER_LOG";
const TEST: &str = "handover::tests::plays_a_process";
/// The prefix of lines for the test.
const MARK: &str = "process: ";
const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of a process.
#[derive(Debug)]
pub(super) struct Role {
    control: PathBuf,
    io: String,
    shards: usize,
}

impl Role {
    pub(super) fn of_environment() -> Option<Self> {
        let variable = |name| std::env::var(name).ok();
        Some(Self {
            control: variable(CONTROL)?.into(),
            io: variable(IO)?,
            shards: variable(SHARDS)?.parse().ok()?,
        })
    }
}

/// Takes over if a process serves, serves, and hands over when asked.
pub(super) fn play(role: &Role) {
    if std::env::var_os(LOG).is_some() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    }
    let io: IoChoice = role.io.parse().unwrap();
    let config = ReflectorConfig {
        listen: "[::1]:0".parse().unwrap(),
        control: Some(role.control.clone()),
        shards: Some(role.shards),
        wake_all_for: Duration::from_secs(3),
        io,
        tls: tls(),
        access: Access { list: list(), ..Access::default() },
        ..ReflectorConfig::default()
    };
    let started = match start(&config, true) {
        Ok(started) => started,
        Err(error) => return println!("\n{MARK}failed {error}"),
    };
    let Started { reflector, listener, .. } = started;
    let mut offer = Offer::begin(&reflector, listener.unwrap()).unwrap();
    println!("\n{MARK}serves {}", reflector.listen_addr());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(offer.handed_over());
    reflector.stop();
    println!("\n{MARK}handed over");
}

fn tls() -> TlsConfig {
    let Some(file) = std::env::var_os(TLS).map(PathBuf::from) else { return TlsConfig::default() };
    TlsConfig {
        listen: Some("[::1]:0".parse().unwrap()),
        certificate: Some(file.clone()),
        key: Some(file.clone()),
        ca: Some(file),
        ..TlsConfig::default()
    }
}

fn list() -> AccessList {
    let denied = std::env::var(DENY).ok().map(|prefix| prefix.parse().unwrap());
    AccessList::new([], denied)
}

/// A process that was started; killed when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    said: Receiver<String>,
}

impl Process {
    /// `fault` is an action and `kill`, `stop` or `lose-key`.
    pub(super) fn start(control: &Path, io: &str, shards: usize, fault: Option<&str>) -> Self {
        Self::start_with(control, io, shards, fault, &[])
    }

    /// The same with sessions over TLS by this certificate and key.
    pub(super) fn with_tls(control: &Path, file: &Path, fault: Option<&str>) -> Self {
        Self::start_with(control, "auto", 2, fault, &[(TLS, file.as_os_str())])
    }

    /// The same, where the sources of a prefix may have no session.
    pub(super) fn denying(control: &Path, prefix: &str) -> Self {
        Self::start_with(control, "auto", 2, None, &[(DENY, OsStr::new(prefix))])
    }

    fn start_with(
        control: &Path,
        io: &str,
        shards: usize,
        fault: Option<&str>,
        more: &[(&str, &OsStr)],
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env_remove(TLS).env_remove(DENY).envs(more.iter().copied());
        command.args([TEST, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(CONTROL, control).env(IO, io).env(SHARDS, shards.to_string());
        match fault {
            Some(fault) => command.env(FAULT, fault),
            None => command.env_remove(FAULT),
        };
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
        let (say, said) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(line) = line.strip_prefix(MARK) {
                    say.send(line.to_owned()).ok();
                }
            }
        });
        Self { child, said }
    }

    /// The next line that it writes for the test.
    pub(super) fn says(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("a process says what it does")
    }

    /// Waits until it serves. Returns its address.
    pub(super) fn serves(&self) -> SocketAddr {
        let said = self.says();
        let address = said.strip_prefix("serves ").map(str::parse);
        address.unwrap_or_else(|| panic!("{said}")).unwrap()
    }

    /// Lets it go on after its fault.
    pub(super) fn resume(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"!").unwrap();
        let process = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(process, Signal::CONT).ok();
    }

    /// Waits until it has ended.
    pub(super) fn ends(mut self) {
        self.child.wait().unwrap();
    }

    /// Waits until its fault stops it.
    pub(super) fn hangs(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if matches!(state, Some('T' | 't')) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "it goes on: {text}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
