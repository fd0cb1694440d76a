//! The command as a process.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::PATIENCE;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_metalbond");

/// A `metalbond` that ends with the test.
pub(crate) struct Process {
    pub(crate) child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .arg("server")
            .args(["--listen", "[::]:0", "--shards", "2", "--min-shards", "2"])
            .args(arguments);
        Self::spawn(command)
    }

    /// A `metalbond client` of this server.
    pub(crate) fn client(&self, arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["client", "--server", &self.address().to_string()]).args(arguments);
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child =
            command.env_remove("RUST_LOG").stderr(Stdio::piped()).spawn().expect("the binary");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut sink = sink.lock().unwrap();
                sink.push_str(&line);
                sink.push('\n');
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log and returns what follows `mark` in it, up to `end`.
    pub(crate) fn logged(&self, mark: &str, end: char) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if let Some(at) = log.find(mark)
                && let Some((found, _)) = log[at + mark.len()..].split_once([end, '\n'])
            {
                return found.to_owned();
            }
            assert!(Instant::now() < deadline, "no {mark} in the log:\n{log}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.logged("listen=[::]:", ' ').parse().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port()).into()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end; the exit status, if it exited.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                drop(self.reader.take().unwrap().join());
                return status.code();
            }
            assert!(Instant::now() < deadline, "still runs:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- what process {} logged:\n{}", self.child.id(), self.log());
        }
    }
}

/// Runs it to its end, which must come by itself.
pub(crate) fn fails(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = Command::new(BINARY).args(arguments).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{text}");
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
    text
}

/// The last line, which must be the one that says what is wrong.
pub(crate) fn sentence(text: &str) -> &str {
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("metalbond: "), "{text}");
    line
}
