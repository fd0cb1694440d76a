//! Small runs of every scenario: they end well, and a server that is wrong makes them fail.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::process::{Command, Output};

use metalbond::io::IoChoice;
use metalbond::reflector::{Config, Reflector};

/// Runs loadgen.
fn loadgen(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments).output().expect("loadgen starts")
}

/// Runs loadgen against a reflector in this process.
fn against_reflector(arguments: &[&str]) -> Output {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen, io: IoChoice::Epoll, shards: Some(2), ..Config::default() };
    let reflector = Reflector::start(&config).expect("a reflector starts");
    let target = reflector.listen_addr().to_string();
    let pid = std::process::id().to_string();
    let output = loadgen(&[arguments, &["--target", &target, "--pid", &pid]].concat());
    reflector.stop();
    output
}

fn assert_good(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("missing 0, extra 0, duplicate 0, garbage 0, lost_sessions 0"), "{told}");
}

const BRIEF: [&str; 5] = ["fanout", "--duration=0.2", "--warm-up=0.1", "-n5", "-w200"];

#[test]
fn fanout_ends_well() {
    assert_good(&against_reflector(&[&BRIEF[..], &["--vnis=7", "-p3", "--threads=2"]].concat()));
}

#[test]
fn fanout_ends_well_against_the_repeater() {
    assert_good(&loadgen(&[&BRIEF[..], &["--spawn", "repeater"]].concat()));
}

#[test]
fn table_ends_well() {
    let arguments = ["table", "-r5000", "--vnis=3", "-j3", "--next-hops=10", "--rest=0"];
    assert_good(&against_reflector(&arguments));
}

#[test]
fn idle_ends_well() {
    let arguments = ["idle", "-s50", "--subscriptions=2", "--duration=0.5", "--keepalive=1"];
    assert_good(&against_reflector(&arguments));
}

/// The repeater takes one publisher and holds no table.
#[test]
fn what_a_server_cannot_do_fails() {
    let output = loadgen(&[&BRIEF[..], &["--spawn", "repeater", "-p2", "--timeout=2"]].concat());
    assert!(!output.status.success());
    let output = loadgen(&["table", "--spawn", "repeater"]);
    assert!(!output.status.success());
}

#[test]
fn figures_are_written_as_json() {
    let file = std::env::temp_dir().join(format!("loadgen-{}.json", std::process::id()));
    let name = file.to_str().expect("a plain name");
    assert_good(&loadgen(&[&BRIEF[..], &["--spawn", "repeater", "--json", name]].concat()));
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::remove_file(&file).expect("it can be removed");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["scenario"], "fanout");
    assert_eq!(json["faults"]["missing"], 0);
    let figures = json["figures"].as_array().expect("figures");
    let cpu = figures.iter().find(|f| f["name"] == "server CPU per delivered update");
    assert!(cpu.expect("CPU time")["value"].as_f64() > Some(0.0));
}
