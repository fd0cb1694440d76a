//! Neither a reflector nor a leaf nor a proxy starts a program once it runs.

use std::fs;
use std::process::Command;

use crate::ctl::Folder;
use crate::process::{BINARY, Process};

/// The least of a number that the kernel tells of each thread of a process.
fn least(process: u32, field: &str) -> u32 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let number = |task: fs::DirEntry| {
        // One that ends just now has none.
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(line.trim().parse::<u32>().unwrap())
    };
    let numbers: Vec<_> = tasks.filter_map(|task| number(task.unwrap())).collect();
    assert!(numbers.len() > 1, "{numbers:?}");
    numbers.into_iter().min().unwrap()
}

/// Whether each of its threads has a filter more than this process, which all are started by.
fn is_confined(process: u32) -> bool {
    let filters = "Seccomp_filters";
    least(process, "Seccomp") == 2
        && least(process, "NoNewPrivs") == 1
        && least(process, filters) > least(std::process::id(), filters)
}

fn until_confined(process: &Process) {
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while !is_confined(process.child.id()) {
        assert!(std::time::Instant::now() < deadline, "{}", process.log());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn all_threads_of_a_reflector_a_leaf_and_a_proxy_are_confined() {
    let server = Process::start(&["--http", "0", "--health", "0"]);
    server.logged("reflector started", '\n');
    until_confined(&server);
    let client = server.client(&["--http", "0"]);
    client.logged("answering HTTP", '\n');
    until_confined(&client);
    let mut proxy = Command::new(BINARY);
    let upstream = server.address().to_string();
    proxy.args(["proxy", "--listen", "[::1]:0", "--server", &upstream, "--http", "0"]);
    let proxy = Process::spawn(proxy);
    proxy.logged("reflector started", '\n');
    until_confined(&proxy);
}

#[test]
fn a_successor_is_confined_as_well() {
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let mut first = Process::start(&["--control", &socket]);
    first.logged("reflector started", '\n');
    until_confined(&first);
    let ctl = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["ctl", "--socket", &socket, "-j"]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    ctl(&["handover"]);
    let successor = ctl(&["show", "handover"])["process"].as_u64().unwrap();
    assert_ne!(successor, u64::from(first.child.id()));
    let successor = u32::try_from(successor).unwrap();
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while !is_confined(successor) {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Command::new("kill").arg(successor.to_string()).status().unwrap();
    first.wait();
}

#[test]
fn one_that_may_start_programs_is_not_confined() {
    let folder = Folder::new();
    let server = Process::start(&["--control", &folder.path("control.sock"), "--allow-exec"]);
    server.logged("reflector started", '\n');
    // It answers, so its start is over.
    let ctl = ["ctl", "--socket", &folder.path("control.sock"), "show", "limits"];
    assert!(Command::new(BINARY).args(ctl).output().unwrap().status.success());
    let filters = "Seccomp_filters";
    assert_eq!(least(server.child.id(), filters), least(std::process::id(), filters));
}
