//! [`Process`]: a site in a process of its own, which can be killed and stopped.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Nats, folder};

/// See the module's documentation. It ends with the test.
pub(crate) struct Process {
    child: Child,
    name: String,
    folder: PathBuf,
    log: Arc<Mutex<String>>,
    /// The process that has taken over, if one has.
    successor: Option<Pid>,
    pub(crate) address: SocketAddr,
    /// Where it answers HTTP, if it does.
    pub(crate) http: Option<SocketAddr>,
}

impl Process {
    /// A site of this name, with more arguments.
    pub(crate) fn start(nats: &Nats, name: &str, more: &[&str]) -> Self {
        Self::start_at(nats, name, "[::1]:0", more)
    }

    /// The same, listening there.
    pub(crate) fn start_at(nats: &Nats, name: &str, listen: &str, more: &[&str]) -> Self {
        let folder = folder();
        let mut child = Command::new(env!("CARGO_BIN_EXE_metalbond"))
            .args(["server", "--listen", listen, "--shards", "2", "--keepalive", "60"])
            .args(["--federation", nats.url(), "--site", name])
            .args(["--control", &folder.join("control.sock").display().to_string()])
            .args(more)
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let started = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("reflector started ")?;
            Some(rest.to_owned())
        });
        let started = started.expect("a reflector that starts");
        let port = |key: &str| {
            let text = started.split(' ').find_map(|word| word.strip_prefix(key))?;
            text.rsplit_once(':')?.1.parse::<u16>().ok()
        };
        let label = name.to_owned();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| {
                println!("{label}: {line}");
                *kept.lock().unwrap() += &format!("{line}\n");
            });
        });
        let address = (Ipv6Addr::LOCALHOST, port("listen=").expect("a port")).into();
        let http = port("http=").map(|port| (Ipv4Addr::LOCALHOST, port).into());
        Self { http, child, log, name: name.to_owned(), folder, successor: None, address }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it has logged since its start.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it at once, and waits for that.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Ends it as its supervisor would, and waits for that.
    pub(crate) fn terminate(&mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }

    /// Has a new process take over.
    pub(crate) fn hand_over(&mut self) {
        self.ctl(&["handover"]);
        let text = self.ctl(&["--json", "show", "handover"]);
        let now: Value = serde_json::from_str(&text).unwrap();
        let id = now["process"].as_i64().and_then(|id| i32::try_from(id).ok());
        self.successor = id.and_then(Pid::from_raw);
    }

    /// What `metalbond ctl` says to this.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_metalbond"))
            .args(["ctl", "--socket", &self.folder.join("control.sock").display().to_string()])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says of federation; null when it does not answer.
    pub(crate) fn federation(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_metalbond"))
            .args(["ctl", "--socket", &self.folder.join("control.sock").display().to_string()])
            .args(["--json", "--timeout", "2s", "show", "federation"])
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// What it says of another site; null when it knows of none.
    pub(crate) fn seen(&self, site: &str) -> Value {
        let now = self.federation();
        let sites = now["sites"].as_array().cloned().unwrap_or_default();
        sites.into_iter().find(|it| it["site"] == site).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that stands still is killed all the same.
        self.kill();
        if let Some(successor) = self.successor {
            kill_process(successor, Signal::KILL).ok();
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
