//! A leaf whose name server doesn't answer.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::config::Scratch;
use crate::process::{BINARY, Process};

/// Runs a leaf where packets to the only name server are swallowed. Longer than the test is patient.
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

#[test]
fn a_leaf_ends_while_its_resolver_hangs() {
    if let Some(missing) = support::missing(&["ip", "unshare"]) {
        support::skip!(missing);
    }
    let resolv = Scratch::new("nameserver 192.0.2.53\noptions timeout:30 attempts:4\n");
    let nsswitch = Scratch::new("hosts: dns\n");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "sh", "-c", SILENT, BINARY, "client", "-v"]);
    // Each is asked for on its own, although they are one name.
    command.args(["--server", "rr.example.net:4711,rr.example.net:4712"]);
    command.env("RESOLV", resolv.path()).env("NSSWITCH", nsswitch.path());
    let mut leaf = Process::spawn(command);
    for port in ["4711", "4712"] {
        leaf.logged(&format!("no session; trying again peer=\"rr.example.net:{port}\""), '\n');
        // The next attempt as well.
        leaf.logged(&format!("DEBUG no session peer=\"rr.example.net:{port}\""), '\n');
    }
    assert_eq!(look_ups(&leaf), 1);
    let began = Instant::now();
    leaf.signal("TERM");
    assert_eq!(leaf.wait(), Some(0), "{}", leaf.log());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
