//! A real reflector's subscribers under load are recorded, and the recording is played against other servers.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// The command, if it is beside loadgen.
fn metalbond() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("metalbond");
    program.exists().then_some(program)
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("loadgen-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir(&folder.0).unwrap();
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A process of the command; killed at the end.
struct Process {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Process {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// Waits for a line.
    fn logged(&mut self, what: &str) -> String {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it ended without {what}");
        }
        line
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) {
        let mut kill = Command::new("kill");
        let told = kill.args(["-s", "INT", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().expect("loadgen starts")
}

/// The figure of a run that ended well.
fn figure(output: &Output, name: &str) -> f64 {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let exact = "missing 0, extra 0, duplicate 0, garbage 0, lost_sessions 0";
    assert!(printed.contains(exact), "{printed}");
    let figure =
        printed.lines().find_map(|line| line.trim().strip_prefix(name)?.split_whitespace().next());
    let figure = figure.and_then(|figure| figure.replace(',', "").parse().ok());
    figure.unwrap_or_else(|| panic!("no {name}: {printed}"))
}

#[test]
fn what_subscribers_were_sent_is_played_against_other_servers() {
    let Some(program) = metalbond() else {
        support::skip!("no metalbond beside loadgen: test the whole workspace, which builds it");
    };
    let folder = Folder::new("replay");
    let (socket, file) = (folder.path("socket"), folder.path("recording"));
    let mut server =
        Process::start(&program, &["server", "--listen", "127.0.0.1:0", "--control", &socket]);
    let started = server.logged("listen=");
    let address = started.split("listen=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(address.parse::<SocketAddr>().is_ok(), "{started}");
    let load = |more: &[&str]| {
        let flags = ["--hypervisors=6", "--tenants=3", "--vms=60", "--observers=1", "--rate=300"];
        let span = ["--duration=0.6", "--warm-up=0.1", "--target", address];
        loadgen(&[&["churn"], &flags[..], &span[..], more].concat())
    };
    // Some routes are there before the recording begins.
    let mut standing = Process::start(
        &program,
        &["client", "--server", address, "--announce", "7#2001:db8::/48#2001:db8::7#std"],
    );
    standing.logged("session established");
    let mut recorder =
        Process::start(&program, &["ctl", "--socket", &socket, "monitor", "--record", &file]);
    recorder.logged("is recorded");
    figure(&load(&[]), "updates per second");
    recorder.interrupt();

    for server in ["reflector", "repeater"] {
        let output = loadgen(&["replay", &file, "--speed=1", "-n3", "-p2", "--spawn", server]);
        assert!(figure(&output, "updates sent") > 100.0, "{output:?}");
        assert_eq!(figure(&output, "changes that the recording lacks"), 0.0);
        let (recorded, replayed) =
            (figure(&output, "recorded time"), figure(&output, "replayed in"));
        assert!(recorded > 0.3 && replayed >= recorded, "{recorded} {replayed}");
    }
    // A recorder that is killed leaves a part of its last line.
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, &text[..text.len() - 10]).unwrap();
    let output = loadgen(&["replay", &file, "--speed=1000000"]);
    assert!(figure(&output, "updates sent") > 100.0, "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is cut short"), "{output:?}");
}
