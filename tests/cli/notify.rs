//! What a service manager hears: sd_notify(3).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process::{BINARY, Process};
use support::client::{Client, PATIENCE};

/// The manager's end, at a name in no folder.
pub(crate) struct Manager {
    socket: UnixDatagram,
    name: String,
    heard: Vec<String>,
}

impl Manager {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-notify-{}-{n}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::bound(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
    }

    fn bound(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, name, heard: Vec::new() }
    }

    pub(crate) fn start(&self, watchdog: Option<&str>, arguments: &[&str]) -> Process {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("NOTIFY_SOCKET", &self.name).env_remove("WATCHDOG_PID");
        match watchdog {
            Some(interval) => command.env("WATCHDOG_USEC", interval),
            None => command.env_remove("WATCHDOG_USEC"),
        };
        Process::spawn(command)
    }

    /// Reads on until a message has this line; the message.
    pub(crate) fn hear(&mut self, line: &str) -> String {
        let mut buffer = [0; 1024];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("no {line} among {:?}: {error}", self.heard);
            });
            let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.lines().any(|found| found == line) {
                return message;
            }
        }
    }
}

const SERVER: [&str; 5] = ["server", "--listen", "[::]:0", "--shards", "2"];

#[test]
fn the_manager_hears_of_a_servers_life() {
    let mut manager = Manager::new();
    let mut server = manager.start(Some("200000"), &SERVER);
    manager.hear("READY=1");
    assert_eq!(manager.heard.len(), 1, "{:?}", manager.heard);
    // Ready means that it can be connected to.
    let _client = Client::establish(server.address());
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    server.signal("HUP");
    let message = manager.hear("RELOADING=1");
    let since = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(since.parse::<u64>().unwrap() > 0, "{message}");
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    server.signal("TERM");
    manager.hear("STOPPING=1");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    let statuses = manager.heard.iter().flat_map(|message| message.lines());
    let statuses: Vec<_> = statuses.filter_map(|line| line.strip_prefix("STATUS=")).collect();
    // The first may be from before the client or after it.
    let expected = ["0 connections, 2 shards on ", "1 connection, 2 shards on "];
    assert!(expected.iter().any(|expected| statuses[0].starts_with(expected)), "{statuses:?}");
}

/// As while another service floods it.
#[test]
fn states_wait_for_room_in_the_managers_queue() {
    let mut manager = Manager::new();
    let flood = UnixDatagram::unbound().unwrap();
    flood.set_nonblocking(true).unwrap();
    let address = SocketAddr::from_abstract_name(&manager.name[1..]).unwrap();
    let fill = || while flood.send_to_addr(b"X", &address).is_ok() {};
    let no_room = "the service manager takes no messages for now";
    fill();
    let mut server = manager.start(Some("2000000"), &SERVER);
    server.logged(no_room, '\n');
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    fill();
    server.signal("HUP");
    server.logged("nothing has changed", '\n');
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    assert!(server.log().matches(no_room).count() >= 2, "{}", server.log());
    server.signal("TERM");
    manager.hear("STOPPING=1");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}

#[test]
fn without_a_watchdog_nothing_is_fed() {
    // At a path, this time.
    let path = std::env::temp_dir().join(format!("metalbond-notify-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut manager = Manager::bound(socket, path.to_str().unwrap().to_owned());
    let mut server = manager.start(None, &SERVER);
    manager.hear("READY=1");
    // Several times as long as a watchdog of the other tests would be fed in.
    std::thread::sleep(Duration::from_millis(500));
    server.signal("TERM");
    manager.hear("STOPPING=1");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    assert!(!manager.heard.iter().any(|message| message.contains("WATCHDOG")));
}

#[test]
fn a_manager_that_is_gone_disturbs_nobody() {
    let manager = Manager::new();
    let name = manager.name.clone();
    drop(manager);
    for name in [name.as_str(), "/nonexistent/socket", "@"] {
        let mut command = Command::new(BINARY);
        command.args(SERVER).env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "200000");
        let mut server = Process::spawn(command);
        Client::establish(server.address()).keepalive();
        server.signal("TERM");
        assert_eq!(server.wait(), Some(0), "{}", server.log());
    }
}

#[test]
fn the_manager_hears_of_a_leafs_life() {
    let server = Process::start(&[]);
    let mut manager = Manager::new();
    let address = server.address().to_string();
    let mut leaf = manager.start(Some("200000"), &["client", "--server", &address]);
    manager.hear("READY=1");
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    leaf.signal("HUP");
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    leaf.signal("TERM");
    manager.hear("STOPPING=1");
    assert_eq!(leaf.wait(), Some(0), "{}", leaf.log());
    let is_connected =
        manager.heard.iter().any(|message| message.contains(" of 1 servers connected"));
    assert!(is_connected, "{:?}", manager.heard);
}
