//! A reflector knows what its leaves have, down to their kernels.

use std::process::Command;

use serde_json::Value;

use crate::explain::Socket;
use crate::harness::{Lab, TUNNEL, binary, table, wait_until};

/// Whether all agree, and the answer.
fn verified(socket: &Socket) -> (bool, Value) {
    let mut command = Command::new(binary());
    command.args(["ctl", "--socket", &socket.path(), "-j", "verify", "--all", "--settle", "1ms"]);
    let output = command.output().unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    let text = || String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), answer.unwrap_or_else(|error| panic!("{error}: {}", text())))
}

#[test]
fn a_reflector_names_the_leaf_whose_kernel_lacks_a_route() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (taken, free) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let in_the_way = format!("{} table {} proto static dev {TUNNEL}", taken.v4(), table(100));
    a.ip(&format!("-4 route add {in_the_way}"));
    let socket = Socket::new("verify");
    let _server = lab.start_server_with(&format!("--control {}", socket.path()));
    let _announcer = b.announce(&[&taken, &free]);
    let _installer = a.install(&[100], "");
    a.wait_for_route(100, free.v4(), &[b]);

    let state = || verified(&socket).1.to_string();
    let of_kernel = || {
        let (_, answer) = verified(&socket);
        let row = &answer["rows"][0];
        let kernel = (row["kernel_accepted"].as_u64(), row["kernel_wanted"].as_u64());
        (row["difference"].as_str() == Some("kernel"), kernel)
    };
    let lacks = || of_kernel() == (true, (Some(3), Some(4)));
    wait_until("the reflector knows what the kernel lacks", state, lacks);
    let shown = socket.ctl(&["show", "peers", "-j"]);
    let peers: Value = serde_json::from_str(&shown).unwrap();
    let peers = peers["rows"].as_array().unwrap();
    let subscriber = peers.iter().find(|peer| peer["subscriptions"] == 1).unwrap();
    let route = format!("100#{}/32", free.v4());
    let said = socket.ctl(&["explain", &format!("#{}", subscriber["id"]), &route]);
    assert!(said.contains("its kernel has 3 of the 4 routes"), "{said}");

    a.ip(&format!("-4 route del {in_the_way}"));
    a.wait_for_route(100, taken.v4(), &[b]);
    wait_until("all agree", state, || verified(&socket).0);
    assert_eq!(of_kernel(), (false, (Some(4), Some(4))));
}
