//! The demonstration, as a newcomer runs it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::http::get;

use crate::process::BINARY;

/// What follows a mark in a line of the output, up to the end of the line.
fn said(lines: &mut impl Iterator<Item = String>, mark: &str) -> String {
    let line = lines.find(|line| line.contains(mark)).expect(mark);
    line.trim().to_owned()
}

#[test]
fn it_shows_a_page_and_peers_and_leaves_nothing_behind() {
    let mut command = Command::new(BINARY);
    command.args(["demo", "--http", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let page = said(&mut lines, "http://");
    let address = page.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    // Each command is one that works as it is printed.
    let mut ask = || {
        let line = said(&mut lines, "metalbond ctl");
        let words: Vec<String> = line.split(' ').skip(1).map(str::to_owned).collect();
        words
    };
    let (peers, explain, monitor) = (ask(), ask(), ask());
    let run = |words: &[String], format: &[&str]| {
        let (ctl, rest) = words.split_first().unwrap();
        Command::new(BINARY).arg(ctl).args(format).args(rest).output().unwrap()
    };
    let shown = |name: &str| {
        let output = run(&peers, &["--json"]);
        let peers: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let rows = peers["rows"].as_array().cloned().unwrap_or_default();
        rows.iter().any(|row| row["node"] == name && row["state"].is_string())
    };
    support::eventually("the peers", || shown("hypervisor-6") && shown("slow-reader"));
    let is_told = |output: std::process::Output| {
        let text = String::from_utf8(output.stdout).unwrap();
        text.contains("Sent") || text.contains("Waits")
    };
    support::eventually("an explanation", || is_told(run(&explain, &[])));
    assert_eq!(monitor.last().map(String::as_str), Some("monitor"));
    assert!(get(address, "/").body.contains("MetalBond"));
    said(&mut lines, "VM 10.0.");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    said(&mut lines, "the demonstration ends");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let socket = peers.iter().find(|word| word.ends_with("control.sock")).unwrap();
    assert!(!std::path::Path::new(socket).parent().unwrap().exists());
}
