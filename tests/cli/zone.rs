//! Sessions over link-local addresses, in a network namespace of their own. Needs root.

use std::process::Command;

use crate::process::{BINARY, Process};

/// A namespace with an interface `zone0` that has fe80::1; removed when dropped.
struct Space(String);

impl Space {
    /// `None`, and the test is skipped, where it can't be had.
    fn new() -> Option<Self> {
        let this = Self(format!("metalbond-zone-{}", std::process::id()));
        let name = &this.0;
        let steps = [
            format!("netns add {name}"),
            format!("-n {name} link set lo up"),
            format!("-n {name} link add zone0 type veth peer name zone1"),
            format!("-n {name} link set zone1 up"),
            format!("-n {name} link set zone0 up"),
            format!("-n {name} address add fe80::1/64 dev zone0 nodad"),
        ];
        if let Some(reason) = support::ip(&steps) {
            support::skip!(reason);
        }
        Some(this)
    }

    fn run(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, BINARY]).args(arguments);
        Process::spawn(command)
    }

    /// The number of `zone0`.
    fn index(&self) -> String {
        let output =
            Command::new("ip").args(["-n", &self.0, "-o", "link", "show", "zone0"]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.split(':').next().unwrap().to_owned()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        support::namespace::end(&[&self.0]);
    }
}

#[test]
fn a_session_may_be_link_local() {
    let Some(space) = Space::new() else { return };
    let listen = ["server", "--shards", "1", "--listen", "[fe80::1%zone0]:0"];
    let server = space.run(&listen);
    let port = server.logged("listen=[fe80::1%", ' ');
    let (_, port) = port.rsplit_once(':').unwrap();
    for zone in ["zone0", &space.index()] {
        let address = format!("[fe80::1%{zone}]:{port}");
        let client = space.run(&["client", "--server", &address, "--subscribe", "1"]);
        client.logged("session established", '\n');
    }
    // An interface that is not there may come.
    let client =
        space.run(&["client", "--server", &format!("[fe80::1%later]:{port}"), "--subscribe", "1"]);
    client.logged("there is no network interface", '\n');
    let rename = ["-n", &space.0, "link", "property", "add", "dev", "zone0", "altname", "later"];
    if Command::new("ip").args(rename).status().is_ok_and(|status| status.success()) {
        client.logged("session established", '\n');
    }
}
