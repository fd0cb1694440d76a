//! `monitor`, and the stream of events behind it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use serde_json::Value;

use super::harness::{command, controlled, until};
use crate::process::Process;
use support::client::{Client, PATIENCE, route, routes};

#[test]
fn what_happens_is_shown_in_order() {
    let scene = controlled(&[]);
    let monitor = scene.watch(&["monitor"]);
    let mut client = Client::establish(scene.server.address());
    let remote = client.local_addr().to_string();
    monitor.expect(&["established", "  test-node  ", &remote]);
    client.announce(&route(7, 1, 1));
    let line = monitor.expect(&["added", "vni 7", "10.0.0.1/32 via 2001:db8::1", "by test-node"]);
    assert!(line.contains('T') && line.contains("Z  "), "{line}");
    client.withdraw(&route(7, 1, 1));
    monitor.expect(&["withdrawn", "vni 7", "10.0.0.1/32"]);
    drop(client);
    monitor.expect(&["closed", "  test-node  ", &remote, "closed by peer"]);
}

#[test]
fn one_vni_is_watched_and_all_sessions() {
    let scene = controlled(&[]);
    let monitor = scene.watch(&["mon", "8", "-j"]);
    let event = |kind: &str| serde_json::from_str::<Value>(&monitor.expect(&[kind])).unwrap();
    let mut client = Client::establish(scene.server.address());
    let established = event("established");
    assert_eq!(
        (&established["node"], &established["name"]),
        (&"test-node".into(), &"test-node".into())
    );
    let at = established["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.len() == "2026-11-23T03:10:11.123456Z".len(), "{at}");
    client.announce_all(&[route(7, 1, 1), route(8, 2, 2)]);
    let added = event("added");
    assert_eq!((&added["vni"], &added["announcer"]), (&8.into(), &1.into()));
    assert_eq!(added["announcer_name"], "test-node");
    assert!(added["at"].as_str().unwrap() >= at, "{added}");
    assert_eq!(added["next_hop"]["address"], "2001:db8::2");
    client.write(b"\0");
    client.expect_closed();
    // The session and its route go on different shards, in any order.
    let mut last = [event(""), event("")];
    last.sort_by_key(|event| event["event"].as_str().unwrap().to_owned());
    assert_eq!((&last[0]["event"], &last[0]["reason"]), (&"closed".into(), &"version".into()));
    assert_eq!(
        (&last[1]["event"], &last[1]["destination"]),
        (&"withdrawn".into(), &"10.0.0.2/32".into())
    );
}

#[test]
fn it_ends_with_the_server() {
    let mut scene = controlled(&[]);
    let mut monitor = scene.watch(&["monitor"]);
    scene.server.signal("TERM");
    assert_eq!(scene.server.wait(), Some(0));
    assert_eq!(monitor.process.wait(), Some(0), "{}", monitor.process.log());
    assert!(monitor.process.log().contains("the reflector has ended the events"));
}

/// As `head` does when it has seen enough, whether anything more happens or not.
#[test]
fn it_ends_with_its_reader() {
    let scene = controlled(&[]);
    let mut monitor = command(&scene.socket, &["monitor"]);
    monitor.stdout(Stdio::piped());
    let mut monitor = Process::spawn(monitor);
    monitor.logged("watching", '\n');
    assert_eq!(monitor.child.try_wait().unwrap(), None);
    drop(monitor.child.stdout.take());
    assert_eq!(monitor.wait(), Some(0), "{}", monitor.log());
}

/// Of which nobody can be seen to go.
#[test]
fn it_goes_on_into_a_file() {
    let scene = controlled(&[]);
    let path = scene.folder.path("events");
    let mut monitor = command(&scene.socket, &["monitor"]);
    monitor.stdout(std::fs::File::create(&path).unwrap());
    let mut monitor = Process::spawn(monitor);
    monitor.logged("watching", '\n');
    let _client = Client::establish(scene.server.address());
    until("an event in the file", || {
        std::fs::read_to_string(&path).unwrap().contains("established")
    });
    assert_eq!(monitor.child.try_wait().unwrap(), None);
}

/// A stream of events whose head has been read and nothing more.
fn stream(socket: &str) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut stream = BufReader::with_capacity(256, stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    stream
}

#[test]
fn a_reader_that_stalls_stops_nobody() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let mut stalled = stream(&scene.socket);
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(7);
    subscriber.expect_end_of_table(7);
    let mut publisher = Client::establish(address);
    // More than the sockets hold, and then more batches than the tap does.
    let all = routes(7, 0..20_000, 1);
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    for n in 1 << 20..(1 << 20) + 300 {
        publisher.announce(&route(7, n, 1));
        subscriber.until("the route", |client| client.view.len() > all.len());
        publisher.withdraw(&route(7, n, 1));
        subscriber.until("its end", |client| client.view.len() == all.len());
    }
    // It is told how many it has missed when it reads again.
    let mut missed = 0;
    let mut line = String::new();
    while missed == 0 {
        line.clear();
        assert!(stalled.read_line(&mut line).unwrap() > 0);
        if let Some(event) = line.strip_prefix("data: ") {
            let event: Value = serde_json::from_str(event).unwrap();
            missed = event["count"].as_u64().unwrap_or_default();
        }
    }
}

#[test]
fn streams_are_bounded_and_their_places_come_back() {
    let scene = controlled(&[]);
    let mut streams: Vec<_> = (0..64).map(|_| stream(&scene.socket)).collect();
    let (status, body) = scene.http("GET", "/api/v1/events");
    assert!(status == 503 && body.contains("64 streams of this kind are open already"), "{body}");
    streams.pop();
    // The place is free when the server has noticed.
    until("a place", || {
        let mut stream = UnixStream::connect(&scene.socket).unwrap();
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        status == *b"HTTP/1.1 200"
    });
}
