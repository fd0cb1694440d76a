//! A server with a control socket, and runs of `metalbond ctl` that ask it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{BINARY, Process};
use support::PATIENCE;

/// A folder that ends with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Self(std::env::temp_dir().join(format!("metalbond-ctl-{}-{n}", std::process::id())));
        std::fs::create_dir(&folder.0).unwrap();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// See the module's documentation.
pub(super) struct Controlled {
    pub(super) server: Process,
    pub(super) socket: String,
    pub(super) folder: Folder,
}

/// A server of two shards with a control socket, which is patient with peers that say nothing.
pub(super) fn controlled(arguments: &[&str]) -> Controlled {
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let server =
        Process::start(&[&["--control", &socket, "--keepalive", "60"], arguments].concat());
    server.logged("reflector started", '\n');
    Controlled { server, socket, folder }
}

/// Exit status, standard output, standard error.
pub(super) fn ctl(socket: &str, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(socket, arguments).output().unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    (status.code().expect("an exit"), out, err)
}

pub(super) fn command(socket: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["ctl", "--socket", socket]).args(arguments).env_remove("METALBOND_CONTROL");
    command
}

impl Controlled {
    /// A run that must do well and say nothing on standard error.
    #[track_caller]
    pub(super) fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = ctl(&self.socket, arguments);
        assert!(code == 0 && err.is_empty(), "{arguments:?}: {code}\n{out}{err}");
        out
    }

    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["-j"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    }

    #[track_caller]
    pub(super) fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let json = self.json(arguments);
        assert_eq!(json["next"], Value::Null);
        json["rows"].as_array().unwrap().clone()
    }

    /// A run that must fail with one sentence.
    #[track_caller]
    pub(super) fn fails(&self, arguments: &[&str]) -> String {
        let (code, out, err) = ctl(&self.socket, arguments);
        assert!(code == 1 && out.is_empty() && err.lines().count() == 1, "{code}\n{out}{err}");
        err.strip_prefix("metalbond: ").unwrap_or_else(|| panic!("{err}")).trim_end().to_owned()
    }

    /// Waits for so many rows.
    #[track_caller]
    pub(super) fn until_rows(&self, arguments: &[&str], count: usize) {
        until(&format!("{count} rows of {arguments:?}"), || self.rows(arguments).len() == count);
    }

    /// A run that goes on until the test ends it, and what it says.
    pub(super) fn watch(&self, arguments: &[&str]) -> Watch {
        Watch::over(&self.socket, arguments)
    }

    /// Asks as `curl --unix-socket` would: the status, and the body.
    pub(super) fn http(&self, method: &str, path: &str) -> (u16, String) {
        request(UnixStream::connect(&self.socket).unwrap(), method, path)
    }
}

/// As version 1.0, so that the body ends with its connection.
pub(super) fn request(
    mut stream: impl std::io::Read + std::io::Write,
    method: &str,
    path: &str,
) -> (u16, String) {
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// See [`Controlled::watch`].
pub(super) struct Watch {
    pub(super) process: Process,
    lines: Receiver<String>,
}

impl Watch {
    /// The same over any socket.
    pub(super) fn over(socket: &str, arguments: &[&str]) -> Self {
        let mut command = command(socket, arguments);
        command.stdout(Stdio::piped());
        let mut process = Process::spawn(command);
        let out = BufReader::new(process.child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        process.logged("watching", '\n');
        Self { process, lines }
    }

    /// The next line, which must have these parts.
    #[track_caller]
    pub(super) fn expect(&self, parts: &[&str]) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("no line with {parts:?}"));
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
        line
    }
}

/// Waits until something is so.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
