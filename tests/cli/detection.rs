//! Addresses under duplicate address detection, as right after the boot.

use std::process::Command;

use crate::process::{BINARY, Process, sentence};

/// Runs a program where `fd00::1` has just been given to an interface, and is asked for so often.
const NEW_ADDRESS: &str = "set -e
ip link set lo up
ip link add link0 type veth peer name link1
sysctl -qw net.ipv6.conf.link0.dad_transmits=$TRANSMITS
ip link set link0 up
ip link set link1 up
ip address add fd00::1/64 dev link0
exec \"$0\" \"$@\"";

/// `None` where it can't be had, and the test is skipped.
fn start(transmits: &str, arguments: &[&str]) -> Option<Process> {
    if let Some(missing) = support::missing(&["ip", "sysctl", "unshare"]) {
        support::skip!(missing);
    }
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", NEW_ADDRESS, BINARY]).args(arguments);
    command.env("TRANSMITS", transmits);
    Some(Process::spawn(command))
}

#[test]
fn a_new_address_is_waited_for() {
    for arguments in [
        &["server", "--listen", "[fd00::1]:4711", "--shards", "1"][..],
        &["server", "--listen", "[::1]:0", "--shards", "1", "--http", "[fd00::1]:80"],
        &["client", "--server", "[::1]:4711", "--http", "[fd00::1]:80"],
    ] {
        let Some(mut process) = start("1", arguments) else { return };
        process
            .logged("waiting for the end of duplicate address detection address=[fd00::1]:", '\n');
        let ready = if arguments[0] == "server" { "reflector started" } else { "answering HTTP" };
        process.logged(ready, '\n');
        process.signal("TERM");
        assert_eq!(process.wait(), Some(0), "{}", process.log());
    }
}

#[test]
fn a_signal_ends_the_wait() {
    for arguments in [
        &["server", "--listen", "[fd00::1]:4711", "--shards", "1"][..],
        &["client", "--server", "[::1]:4711", "--http", "[fd00::1]:80"],
    ] {
        let Some(mut process) = start("100", arguments) else { return };
        process.logged("waiting for the end of duplicate address detection", '\n');
        process.signal("TERM");
        process.logged("stopped before it had started", '\n');
        assert_eq!(process.wait(), Some(0), "{}", process.log());
    }
}

#[test]
fn an_address_that_stays_tentative_is_named() {
    let Some(mut process) = start("100", &["server", "--listen", "[fd00::1]:4711"]) else { return };
    assert_eq!(process.wait(), Some(1), "{}", process.log());
    let text = process.log();
    assert!(sentence(&text).contains("[fd00::1]:4711 (--listen): duplicate address"), "{text}");
    assert!(sentence(&text).contains("on link0") && !text.contains("no interface"), "{text}");
}
