//! A name server that doesn't answer.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::config::Scratch;
use crate::process::{BINARY, Process};
use support::PATIENCE;

/// Runs a program where packets to the only name server are swallowed. Longer than the test is patient.
const SILENT: &str = "set -e
ip link set lo up
ip link add silent type veth peer name other
ip address add 192.0.2.1/24 dev silent
ip link set silent up
ip link set other up
ip neighbour add 192.0.2.53 lladdr 02:00:00:00:00:01 dev silent
mount --bind $RESOLV /etc/resolv.conf
mount --bind $NSSWITCH /etc/nsswitch.conf
exec \"$0\" \"$@\"";

/// Look-ups under way.
fn look_ups(leaf: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", leaf.child.id())).unwrap();
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    tasks.filter_map(name).filter(|name| name.trim() == "resolver").count()
}

/// A program there, and the files that it is told of the name server by. `None` where it can't be had, and
/// the test is skipped.
fn start(arguments: &[&str]) -> Option<(Process, [Scratch; 2])> {
    if let Some(missing) = support::missing(&["ip", "unshare"]) {
        support::skip!(missing);
    }
    let resolv = Scratch::new("nameserver 192.0.2.53\noptions timeout:30 attempts:4\n");
    let nsswitch = Scratch::new("hosts: dns\n");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-c", SILENT, BINARY]).args(arguments);
    command.env("RESOLV", resolv.path()).env("NSSWITCH", nsswitch.path());
    Some((Process::spawn(command), [resolv, nsswitch]))
}

/// Ends it, which must not take as long as the resolver.
fn ends(mut process: Process) {
    let began = Instant::now();
    process.signal("TERM");
    assert_eq!(process.wait(), Some(0), "{}", process.log());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_leaf_ends_while_its_resolver_hangs() {
    // Each is asked for on its own, although they are one name.
    let servers = "rr.example.net:4711,rr.example.net:4712";
    let Some((leaf, _files)) = start(&["client", "-v", "--server", servers]) else { return };
    for port in ["4711", "4712"] {
        leaf.logged(&format!("no session; trying again peer=\"rr.example.net:{port}\""), '\n');
        // The next attempt as well.
        leaf.logged(&format!("DEBUG no session peer=\"rr.example.net:{port}\""), '\n');
    }
    assert_eq!(look_ups(&leaf), 1);
    ends(leaf);
}

#[test]
fn a_server_ends_while_a_reload_waits_for_the_resolver() {
    let file = Scratch::new("[server]\n");
    let arguments = ["server", "--listen", "[::1]:0", "--shards", "1", "--config", file.path()];
    let Some((server, _files)) = start(&arguments) else { return };
    server.logged("reflector started", '\n');
    file.write("[server]\nhttp = \"rr.example.net:80\"\n");
    server.signal("HUP");
    // As the kernel lists a socket that asks 192.0.2.53, port 53.
    let sockets = format!("/proc/{}/net/udp", server.child.id());
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&sockets).unwrap().contains("350200C0:0035") {
        assert!(Instant::now() < deadline, "no look-up: {}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    ends(server);
}
