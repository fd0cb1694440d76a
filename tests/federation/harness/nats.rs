//! [`Nats`]: a nats-server on a free port.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::eventually;

/// The oldest that will do.
const OLDEST: [u64; 3] = [2, 10, 26];

/// A folder of the calling test's own, empty.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("metalbond-federation-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    drop(std::fs::remove_dir_all(&path));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// See the module's documentation. It ends with the test.
pub(crate) struct Nats {
    folder: PathBuf,
    port: u16,
    url: String,
    child: Option<Child>,
}

impl Nats {
    /// A server with so much more in its file; `None`, and the calling test is skipped, where there is none or
    /// it is too old.
    #[track_caller]
    pub(crate) fn start(more: &str) -> Option<Self> {
        if let Some(reason) = lacking() {
            support::skip!(reason);
        }
        let folder = folder();
        let mut nats = Self { folder, port: 0, url: String::new(), child: None };
        nats.configure(more);
        nats.run();
        Some(nats)
    }

    fn configure(&self, more: &str) {
        // The first start takes a free port, and later ones the same.
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let folder = self.folder.display();
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: \"{folder}\"\nno_fast_producer_stall: true\n{more}\n"
        );
        std::fs::write(self.folder.join("nats.conf"), text).unwrap();
    }

    /// Starts it, on the port that it had.
    pub(crate) fn run(&mut self) {
        let path = self.folder.join("nats.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(
            &path,
            text.replace("127.0.0.1:-1", &format!("127.0.0.1:{}", self.listen())),
        )
        .unwrap();
        let child = Command::new("nats-server")
            .args(["-c", &path.display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ports = self.folder.join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        let mut found = None;
        eventually("a server with a port", || {
            found = std::fs::read_to_string(&ports).ok().and_then(|text| port_in(&text));
            found.is_some()
        });
        self.port = found.unwrap();
        if self.url.is_empty() {
            self.url = format!("nats://127.0.0.1:{}", self.port);
        }
    }

    fn listen(&self) -> String {
        if self.port == 0 { "-1".to_owned() } else { self.port.to_string() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Has sites reach it by another address from now on.
    pub(crate) fn set_url(&mut self, url: String) {
        self.url = url;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("a server");
        let id = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The port in a file that the server writes.
fn port_in(text: &str) -> Option<u16> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let url = json["nats"].as_array()?.iter().find_map(|url| url.as_str())?;
    url.rsplit_once(':')?.1.parse().ok()
}

/// Why there is no server that will do.
fn lacking() -> Option<String> {
    let Ok(output) = Command::new("nats-server").arg("--version").output() else {
        return Some("no nats-server (deploy/nats-server takes it from PyPI)".to_owned());
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap_or(0));
    let version: [u64; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    (version < OLDEST).then(|| format!("{} is too old", text.trim()))
}
