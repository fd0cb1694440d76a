//! Command lines of a fleet that ran the reference: each works as it is written there. Those that need the kernel
//! are in `tests/leaf/drop_in.rs`.

use std::process::Command;

use metalbond::wire::{Hello, NextHopType};
use support::client::{Client, plain_hello};

use crate::process::{BINARY, Process};

/// The interval that a server answers to a client which asks for a minute.
fn interval(server: &Process) -> u32 {
    let hello = Hello { keepalive_interval: 60, ..plain_hello() };
    let client = Client::connect(server.address()).shake_hands(hello);
    client.hello.as_ref().unwrap().keepalive_interval
}

/// What a leaf announces, as a peer of its server sees it in VNI 23.
fn announced(flag: &str) -> (NextHopType, u32, u32, String) {
    let server = Process::start(&[]);
    let leaf = server.client(&["--announce", flag]);
    let mut peer = Client::establish(server.address());
    peer.subscribe(23);
    peer.until("the route", |peer| peer.view.len() == 1);
    let hop = peer.view.iter().next().unwrap().next_hop;
    let (from, to) = hop.nat_ports();
    (hop.kind(), from, to, leaf.log())
}

#[test]
fn server_keepalive_0() {
    let server = Process::start(&["--keepalive", "0"]);
    assert_eq!(interval(&server), 5);
}

#[test]
fn client_keepalive_0() {
    let server = Process::start(&[]);
    let leaf = server.client(&["--keepalive", "0"]);
    leaf.logged("session established", '\n');
}

#[test]
fn server_http_empty() {
    let server = Process::start(&["--http", ""]);
    assert_eq!(interval(&server), 5);
    assert!(!server.log().contains("http="), "{}", server.log());
}

#[test]
fn client_http_empty() {
    let server = Process::start(&[]);
    let leaf = server.client(&["--http", ""]);
    leaf.logged("session established", '\n');
    assert!(!leaf.log().contains("answering HTTP"), "{}", leaf.log());
}

#[test]
fn client_without_server() {
    let mut command = Command::new(BINARY);
    command.args(["client", "--subscribe", "23"]);
    let mut leaf = Process::spawn(command);
    leaf.logged("WARN check the configuration: no server is given (--server)", '\n');
    leaf.signal("TERM");
    assert_eq!(leaf.wait(), Some(0), "{}", leaf.log());
}

#[test]
fn announce_lb() {
    let (kind, from, to, log) = announced("23#10.0.0.1/32#2001:db8::1#lb");
    assert_eq!((kind, from, to), (NextHopType::LoadBalancerTarget, 0, 0), "{log}");
}

#[test]
fn announce_std() {
    let (kind, from, to, log) = announced("23#10.0.0.1/32#2001:db8::1#std");
    assert_eq!((kind, from, to), (NextHopType::Standard, 0, 0), "{log}");
}

#[test]
fn announce_nat_1024_2047() {
    let (kind, from, to, log) = announced("23#10.0.0.1/32#2001:db8::1#nat#1024#2047");
    assert_eq!((kind, from, to), (NextHopType::Nat, 1024, 2047), "{log}");
}

#[test]
fn announce_an_unknown_type() {
    let (kind, _, _, log) = announced("23#10.0.0.1/32#2001:db8::1#anycast");
    assert_eq!(kind, NextHopType::Standard);
    assert!(log.contains("the type \"anycast\" is none of STD, LB and NAT"), "{log}");
}

#[test]
fn announce_std_with_ports() {
    let (kind, from, to, log) = announced("23#10.0.0.1/32#2001:db8::1#STD#1024#2047");
    assert_eq!((kind, from, to), (NextHopType::Standard, 0, 0), "{log}");
    assert!(log.contains("the ports are ignored"), "{log}");
}

#[test]
fn announce_lb_with_ports() {
    let (kind, from, to, log) = announced("23#10.0.0.1/32#2001:db8::1#LB#1024#2047");
    assert_eq!((kind, from, to), (NextHopType::LoadBalancerTarget, 0, 0), "{log}");
    assert!(log.contains("the ports are ignored"), "{log}");
}
