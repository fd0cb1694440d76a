//! `metalbond ctl` at the socket of a leaf.

use std::os::unix::fs::PermissionsExt as _;

use super::harness::{Controlled, Folder, controlled, until};
use crate::process::{Process, fails, sentence};

const DOCUMENT: &str = include_str!("../../../docs/ctl.md");

/// A reflector, and a leaf of it with a control socket that is subscribed to the VNIs 100 and 200.
fn leaf(more: &[&str]) -> (Controlled, Controlled) {
    let reflector = controlled(&[]);
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let own = ["--subscribe", "100,200", "--keepalive", "60", "--control", &socket];
    let server = reflector.server.client(&[&own, more].concat());
    server.logged("session established", '\n');
    (reflector, Controlled { server, socket, folder })
}

fn announce(reflector: &Controlled, routes: &str) -> Process {
    let leaf = reflector.server.client(&["--keepalive", "60", "--announce", routes]);
    leaf.logged("session established", '\n');
    leaf
}

#[test]
fn the_socket_of_a_leaf_is_for_its_user_alone_and_goes_with_it() {
    let (_reflector, mut leaf) = leaf(&[]);
    let file = std::fs::symlink_metadata(&leaf.socket).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let text = fails(&["client", "--server", "[::1]:1", "--control", &leaf.socket]);
    let sentence = sentence(&text);
    assert!(sentence.contains("--control: another process uses the control socket"), "{text}");
    std::fs::remove_file(&leaf.socket).unwrap();
    leaf.server.logged("the control socket had vanished and is made anew", '\n');
    assert!(leaf.ok(&["show", "servers"]).starts_with("SERVER"));
    leaf.server.signal("TERM");
    assert_eq!(leaf.server.wait(), Some(0));
    assert_eq!(std::fs::read_dir(&leaf.folder.0).unwrap().count(), 0);
}

#[test]
fn servers_and_tables_of_a_leaf_are_shown() {
    let (reflector, leaf) = leaf(&["--server", "[::1]:1"]);
    until("both tables are here", || leaf.rows(&["show", "servers"])[0]["whole_count"] == 2);
    let shown = leaf.ok(&["show", "servers"]);
    let lines: Vec<_> = shown.lines().collect();
    let (_, documented) = DOCUMENT.split_once("$ metalbond ctl show servers\n").unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[0]), words(documented.lines().next().unwrap()));
    assert!(lines[1].contains(&reflector.server.address().to_string()), "{shown}");
    assert!(lines[1].contains("established") && lines[1].contains("2 of 2"), "{shown}");
    assert!(lines[2].starts_with("[::1]:1 ") && lines[2].contains("0 of 2"), "{shown}");
    assert_eq!(leaf.rows(&["show", "vnis"]).len(), 2);
    assert!(leaf.ok(&["show", "vnis"]).contains("TABLE FROM"));
    assert_eq!(reflector.ok(&["show", "vnis"]).lines().next().unwrap().find("TABLE FROM"), None);
}

#[test]
fn routes_of_a_leaf_are_found_as_those_of_a_reflector() {
    let (reflector, leaf) = leaf(&[]);
    let routes =
        "100#10.0.0.1/32#2001:db8::1,100#10.0.1.0/24#2001:db8::2,200#10.0.0.0/8#2001:db8::3";
    let _announcer = announce(&reflector, routes);
    leaf.until_rows(&["show", "routes"], 3);
    let found = |arguments: &[&str]| -> Vec<String> {
        let rows = leaf.rows(&[&["show", "routes"], arguments].concat());
        let name = |row: &serde_json::Value| row["destination"].as_str().unwrap().to_owned();
        rows.iter().map(name).collect()
    };
    assert_eq!(found(&["10.0.0.1"]), ["10.0.0.1/32", "10.0.0.0/8"]);
    assert_eq!(found(&["10.0.0.0/16", "--vni", "100"]), ["10.0.1.0/24", "10.0.0.1/32"]);
    assert_eq!(found(&["10.0.1.0/24"]), ["10.0.1.0/24"]);
    assert!(leaf.fails(&["show", "routes", "--vni", "7"]).contains("not subscribed to VNI 7"));
}

#[test]
fn who_is_asked_what_only_the_other_knows_says_so() {
    let (reflector, leaf) = leaf(&[]);
    assert!(leaf.fails(&["show", "peers"]).contains("a leaf answers here"));
    assert!(leaf.fails(&["drain"]).contains("a leaf answers here"));
    assert!(reflector.fails(&["show", "servers"]).contains("a reflector answers on"));
    leaf.server.logged("command over the control socket", '\n');
    let log = leaf.server.log();
    let line = log.lines().find(|line| line.contains("command over the control socket")).unwrap();
    assert!(line.contains("path=\"/control/v1/drain\"") && line.contains("uid="), "{line}");
}
