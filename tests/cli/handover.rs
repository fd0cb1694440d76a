//! A reflector is replaced by a new process, as an operator, a service manager and peers meet it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ctl::Folder;
use crate::notify::Manager;
use crate::process::{BINARY, Process};
use support::PATIENCE;
use support::client::{Client, hello_of, routes};

/// Whether a command succeeds, and what it writes.
pub(crate) fn run_ctl(socket: &str, arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(BINARY);
    command.args(["ctl", "--socket", socket]).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

/// A line of processes with one control socket.
pub(crate) struct Line {
    folder: Folder,
    http: u16,
}

impl Line {
    pub(crate) fn new() -> Self {
        // A free port: nobody else listens where this did a moment ago.
        let free = std::net::TcpListener::bind("[::1]:0").unwrap();
        let http = free.local_addr().unwrap().port();
        Self { folder: Folder::new(), http }
    }

    fn socket(&self) -> String {
        self.folder.path("control.sock")
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let http = format!("[::1]:{}", self.http);
        ["--control", &self.socket(), "--http", &http].map(str::to_owned).to_vec()
    }

    pub(crate) fn start(&self, more: &[&str]) -> Process {
        let arguments = self.arguments();
        let arguments: Vec<&str> =
            arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let process = Process::start(&arguments);
        process.logged("reflector started", '\n');
        process
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) -> (bool, String, String) {
        run_ctl(&self.socket(), arguments)
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (is_ok, out, err) = self.ctl(arguments);
        assert!(is_ok, "{out}{err}");
        out
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["-j"], arguments].concat())).unwrap()
    }

    /// The whole answer to one request.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv6Addr::LOCALHOST, self.http)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    }

    /// The process that serves now; killed at the end, since it is a child of the process before it.
    pub(crate) fn successor(&self) -> Orphan {
        let latest = self.json(&["show", "handover"]);
        Orphan(latest["latest"]["to"].as_u64().unwrap().to_string())
    }
}

/// Waits for the end of a process, whose log goes on: its successor writes into the same.
pub(crate) fn exit(process: &mut Process) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = process.child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "still runs:\n{}", process.log());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that is not the test's child.
pub(crate) struct Orphan(String);

impl Drop for Orphan {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-s", "KILL", &self.0]).status());
    }
}

#[test]
fn ctl_handover_replaces_the_process_and_nobody_notices() {
    let line = Line::new();
    let mut first = line.start(&[]);
    let mut publisher = Client::establish(first.address());
    let mut subscriber = Client::establish(first.address());
    subscriber.subscribe(7);
    let table = routes(7, 0..100, 1);
    publisher.announce_all(&table);
    subscriber.expect_view(&table);
    let before = line.metric("metalbond_updates_received_total{action=\"add\"}");
    assert_eq!(before, 100);

    let said = line.ok(&["handover"]);
    let successor = line.successor();
    assert_eq!(exit(&mut first), Some(0), "{}", first.log());
    assert!(said.contains(" 2 connections, 100 routes"), "{said}");
    assert!(said.contains(&format!("Process {} has taken over", successor.0)), "{said}");

    publisher.announce_all(&routes(7, 100..110, 1));
    subscriber.expect_view(&routes(7, 0..110, 1));
    assert_eq!(line.metric("metalbond_updates_received_total{action=\"add\"}"), 110);
    assert_eq!(line.metric("metalbond_handovers_total"), 1);
    assert_eq!(line.json(&["show", "peers"])["rows"].as_array().unwrap().len(), 2);
    // A second one, of the process that was started by the first.
    line.ok(&["handover"]);
    let _last = line.successor();
    publisher.announce_all(&routes(7, 110..120, 1));
    subscriber.expect_view(&routes(7, 0..120, 1));
    assert_eq!(line.metric("metalbond_handovers_total"), 2);
    // New sessions get new numbers.
    let _third = Client::establish(first.address());
    let peers = line.json(&["show", "peers"]);
    let mut numbers: Vec<_> =
        peers["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn routes_of_a_peer_that_is_gone_are_kept_by_the_new_process() {
    let line = Line::new();
    let mut first = line.start(&["--stale-hold", "600s"]);
    let host = || Client::connect(first.address()).shake_hands(hello_of("hv-17"));
    let mut publisher = host();
    let mut subscriber = Client::establish(first.address());
    subscriber.subscribe(7);
    let table = routes(7, 0..100, 1);
    publisher.announce_all(&table);
    subscriber.expect_view(&table);
    drop(publisher);
    let mut back = host();
    back.announce_all(&table[..10]);
    let stale = |count| {
        let deadline = Instant::now() + PATIENCE;
        while line.metric("metalbond_stale_routes") != count {
            assert!(Instant::now() < deadline, "not {count} stale routes");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    stale(90);
    drop(back);
    stale(100);
    line.ok(&["handover"]);
    let _successor = line.successor();
    stale(100);
    let mut back = host();
    back.announce_all(&table[10..]);
    stale(10);
    line.ok(&["handover"]);
    let _last = line.successor();
    stale(10);
    back.announce_all(&table[..10]);
    stale(0);
    assert_eq!(subscriber.removes(), 0);
    assert_eq!(exit(&mut first), Some(0));
}

#[test]
fn a_new_process_with_other_settings_takes_over() {
    let line = Line::new();
    let mut first = line.start(&["--io", "epoll", "--max-peers", "10"]);
    let mut publisher = Client::establish(first.address());
    let mut subscriber = Client::establish(first.address());
    subscriber.subscribe(7);
    publisher.announce_all(&routes(7, 0..10, 1));
    let arguments = line.arguments();
    let mut command = Command::new(BINARY);
    command.args([
        "server",
        "--listen",
        "[::]:0",
        "--takeover",
        "--shards",
        "3",
        "--max-peers",
        "1",
    ]);
    command.args(&arguments);
    let second = Process::spawn(command);
    second.logged("taken over", '\n');
    assert_eq!(exit(&mut first), Some(0));
    publisher.announce_all(&routes(7, 10..20, 1));
    subscriber.expect_view(&routes(7, 0..20, 1));
    // A lower limit ends no session, and holds for new ones.
    let limits = line.json(&["show", "limits"]);
    assert_eq!(
        (&limits["max_peers"]["limit"], &limits["max_peers"]["used"]),
        (&1.into(), &2.into())
    );
    let has_three = |line: &str| line.starts_with("metalbond_shards{") && line.ends_with(" 3");
    assert!(line.get("/metrics").lines().any(has_three));
    drop(second);
}

#[test]
fn a_drain_goes_on_in_the_new_process() {
    let line = Line::new();
    let mut first = line.start(&[]);
    let _clients: Vec<_> = (0..3).map(|_| Client::establish(first.address())).collect();
    line.ok(&["drain", "--rate", "1"]);
    let _second = line.start(&["--takeover"]);
    assert_eq!(exit(&mut first), Some(0));
    line.ok(&["drain", "--rate", "1000", "--wait"]);
    assert!(line.get("/readyz").starts_with("HTTP/1.1 503"));
}

#[test]
fn the_new_process_knows_how_sessions_ended_and_how_peers_are_called() {
    let line = Line::new();
    let mut first = line.start(&[]);
    let node = |name: &str| Client::connect(first.address()).shake_hands(hello_of(name));
    let mut stays = node("host-1");
    stays.announce_all(&routes(7, 0..1, 1));
    let mut leaves = node("host-2");
    line.ok(&["reset", "peer", "host-2"]);
    leaves.expect_closed();
    let listed = |what: &[&str]| {
        let mut rows = line.json(what)["rows"].as_array().unwrap().clone();
        rows.iter_mut().for_each(|row| {
            row.as_object_mut().unwrap().remove("ended_ago_seconds");
        });
        rows
    };
    let before = [listed(&["show", "closed"]), listed(&["show", "recorder"])];
    assert_eq!((before[0].len(), before[1].len()), (1, 3));
    line.ok(&["handover"]);
    let _successor = line.successor();
    assert_eq!(exit(&mut first), Some(0), "{}", first.log());
    let after = [listed(&["show", "closed"]), listed(&["show", "recorder"])];
    assert_eq!(after[0], before[0]);
    assert_eq!(after[1][..3], before[1][..]);
    assert_eq!(listed(&["show", "routes"])[0]["announcer_names"][0], "host-1");
    let (_, _, gone) = line.ctl(&["explain", "host-2", "7#10.0.0.1/32"]);
    assert!(gone.contains("reset by the operator"), "{gone}");
}

#[test]
fn without_a_reflector_that_runs_it_starts_as_usual() {
    let line = Line::new();
    let process = line.start(&["--takeover"]);
    process.logged("no reflector runs that could hand over", '\n');
    Client::establish(process.address());
}

#[test]
fn a_process_that_cannot_serve_changes_nothing() {
    let line = Line::new();
    let first = line.start(&["--allow-exec"]);
    let mut publisher = Client::establish(first.address());
    let mut subscriber = Client::establish(first.address());
    subscriber.subscribe(7);
    let (is_ok, _, said) = line.ctl(&["handover", "--to", "/bin/false"]);
    assert!(!is_ok && said.contains("the new process ended before it could ask"), "{said}");
    let (is_ok, _, said) = line.ctl(&["handover", "--to", "/nonexistent"]);
    assert!(!is_ok && said.contains("cannot start /nonexistent"), "{said}");
    // An address that it can't have.
    let taken = std::net::TcpListener::bind("[::1]:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let arguments = line.arguments();
    let mut command = Command::new(BINARY);
    command.args(["server", "--listen", &taken, "--takeover"]).args(&arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("cannot listen on"), "{said}");
    let latest = line.json(&["show", "handover"]);
    assert_eq!(latest["latest"]["outcome"], "called_off");
    assert!(latest["latest"]["reason"].as_str().unwrap().contains("cannot listen on"), "{latest}");
    publisher.announce_all(&routes(7, 0..10, 1));
    subscriber.expect_view(&routes(7, 0..10, 1));
    assert_eq!(line.metric("metalbond_handovers_called_off_total"), 2);
    // One that never asks.
    let idle = line.folder.path("idle");
    std::fs::write(&idle, "#!/bin/sh\nsleep 2\n").unwrap();
    assert!(Command::new("chmod").args(["+x", &idle]).status().unwrap().success());
    let (is_ok, _, said) = line.ctl(&["handover", "--to", &idle, "--timeout", "100ms"]);
    assert!(!is_ok && said.contains("no process has taken over in time"), "{said}");
}

#[test]
fn a_reflector_that_may_start_nothing_starts_its_own_program_only() {
    let line = Line::new();
    let first = line.start(&[]);
    let (is_ok, _, said) = line.ctl(&["handover", "--to", "/bin/false"]);
    assert!(!is_ok && said.contains("restart it with --allow-exec"), "{said}");
    assert_eq!(line.json(&["show", "handover"])["attempts"], 0);
    line.ok(&["handover", "--to", BINARY]);
    let _successor = line.successor();
    drop(first);
}

#[test]
fn a_successor_that_ends_before_it_asks_is_a_handover_called_off_at_once() {
    let line = Line::new();
    let file = line.folder.path("server.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("");
    let mut first = line.start(&["--config", &file]);
    write("[server]\nno-such-key = 1\n");
    let (is_ok, _, said) = line.ctl(&["handover"]);
    assert!(!is_ok && said.contains("the new process ended before it could ask"), "{said}");
    first.logged("unknown key \"no-such-key\"", '\n');
    first.logged("handover called off", '\n');
    assert_eq!(line.json(&["show", "handover"])["latest"]["outcome"], "called_off");
    assert_eq!(line.metric("metalbond_handovers_called_off_total"), 1);
    write("");
    line.ok(&["handover"]);
    let _successor = line.successor();
    assert_eq!(exit(&mut first), Some(0));
}

#[test]
fn all_listening_sockets_pass_on() {
    let line = Line::new();
    let readers = line.folder.path("control-ro.sock");
    let mut first = line.start(&[
        "--health",
        "[::1]:0",
        "--control-read-only",
        &readers,
        "--control-group",
        "0",
    ]);
    let health: SocketAddr = first.logged("health=", ' ').parse().unwrap();
    assert_eq!(support::http::get(health, "/readyz").status, 200);
    line.ok(&["handover"]);
    let successor = line.successor();
    assert_eq!(exit(&mut first), Some(0));
    // The port was any: only the same socket has it still.
    assert_eq!(support::http::get(health, "/readyz").status, 200);
    let metrics = support::http::get(health, "/metrics").body;
    assert!(metrics.contains("\nmetalbond_handovers_total 1\n"), "{metrics}");
    let arguments = ["ctl", "--socket", &readers, "-j", "show", "handover"];
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["process"].to_string(), successor.0);
    // Its file is not the first one's to remove.
    assert!(std::path::Path::new(&readers).exists());
}

#[test]
fn probes_and_connections_are_never_refused() {
    let line = Line::new();
    // A port of its own: each process of the line is told the same.
    let free = std::net::TcpListener::bind("[::1]:0").unwrap();
    let health = free.local_addr().unwrap();
    drop(free);
    let first = line.start(&["--health", &health.to_string()]);
    let address = first.address();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let probes = scope.spawn(|| {
            let mut count = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let answer = line.get("/livez");
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert_eq!(support::http::get(health, "/livez").status, 200);
                Client::establish(address);
                count += 1;
            }
            count
        });
        let mut orphans = Vec::new();
        for _ in 0..5 {
            line.ok(&["handover"]);
            orphans.push(line.successor());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(probes.join().unwrap() > 0);
        drop(orphans);
    });
}

#[test]
fn the_service_manager_hears_of_the_new_process_before_the_old_one_ends() {
    let line = Line::new();
    let mut manager = Manager::new();
    let arguments = line.arguments();
    let own = ["server", "--listen", "[::]:0", "--shards", "2"];
    let all: Vec<&str> = own.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    let mut first = manager.start(Some("2000000"), &all);
    manager.hear("READY=1");
    let own = first.child.id().to_string();
    line.ok(&["handover"]);
    let successor = line.successor();
    let line_of_pid = format!("MAINPID={}", successor.0);
    manager.hear(&line_of_pid);
    // The old one waits until its word has been taken in.
    manager.hear("BARRIER=1");
    assert_ne!(own, successor.0);
    assert_eq!(exit(&mut first), Some(0), "{}", first.log());
    // The watchdog is the new process's.
    manager.hear("WATCHDOG=1");
}

#[test]
fn sighup_and_sigterm_go_to_who_serves() {
    let line = Line::new();
    let mut first = line.start(&[]);
    let mut client = Client::establish(first.address());
    line.ok(&["handover"]);
    let successor = line.successor();
    assert_eq!(exit(&mut first), Some(0));
    client.subscribe(7);
    assert!(Command::new("kill").args(["-s", "TERM", &successor.0]).status().unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while std::path::Path::new(&line.socket()).exists() {
        assert!(Instant::now() < deadline, "the last process removes its sockets");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(!std::path::Path::new(&format!("{}.handover", line.socket())).exists());
}
