//! `metalbond client`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use metalbond::wire::{Hello, Message};

use crate::process::{BINARY, Process, fails, sentence};
use support::client::{Client, PATIENCE, encode, frame, plain_hello};
use support::promtool;

#[test]
fn a_bad_flag_or_value_of_the_client_is_named() {
    for [flag, value] in [
        ["--server", "rr1:x"],
        ["--subscribe", "x"],
        ["--announce", "23#10.0.0.0/33#::1"],
        ["--announce", "23#10.0.0.0/8#::1,23#10.0.0.0/8"],
        ["--install-routes", "23#main"],
        ["--keepalive", "x"],
        ["--http", "nonsense"],
        ["--stale-time", "120"],
        ["--exclude-route-type", "XYZ"],
        ["--rt-proto", "4"],
        ["--rt-proto", "256"],
        ["--route-metric", "4294967296"],
        ["--nexthops", "many"],
        ["--log-format", "xml"],
    ] {
        let text = fails(&["client", "--server", "rr1", flag, value]);
        let named = value.split(',').next_back().unwrap();
        assert!(text.contains(flag) && text.contains(named), "{text}");
    }
}

#[test]
fn flags_of_the_client_that_do_not_go_together_are_one_sentence() {
    let client = ["client", "--server", "rr1", "--install-routes"];
    let text = fails(&[&client[..], &["1#100"]].concat());
    assert!(sentence(&text).contains("--tun DEVICE"), "{text}");
    let text = fails(&[&client[..], &["1#100,1#200", "--tun", "t"]].concat());
    assert!(sentence(&text).contains("VNI 1 into table 100 and table 200"), "{text}");
}

#[test]
fn an_announcement_that_no_leaf_can_install_is_remarked_on() {
    let server = Process::start(&[]);
    let announce = "23#10.0.23.0/24#192.0.2.1,23#10.0.24.0/24#fe80::1,23#10.0.25.0/24#2001:db8::1";
    let leaf = server.client(&["--announce", announce]);
    leaf.logged("session established", '\n');
    let log = leaf.log();
    let remarks: Vec<_> = log
        .lines()
        .filter(|line| line.contains("WARN check the configuration: --announce:"))
        .collect();
    assert_eq!(remarks.len(), 2, "{log}");
    assert!(remarks[0].contains("10.0.23.0/24 via 192.0.2.1, because the next hop is an IPv4"));
    assert!(remarks[1].contains("10.0.24.0/24 via fe80::1, because the next hop is a link-local"));
}

#[test]
fn what_one_leaf_announces_another_logs() {
    let server = Process::start(&[]);
    let watcher = server.client(&["--subscribe", "23"]);
    watcher.logged("session established", '\n');
    let announce = "23#10.0.23.0/24#2001:db8::1,23#fd00::/64#2001:db8::1#LB";
    let mut announcer = server.client(&["--announce", announce]);
    watcher.logged("route added vni=23 destination=10.0.23.0/24 next_hop=2001:db8::1", '\n');
    watcher.logged("route added vni=23 destination=fd00::/64 next_hop=2001:db8::1 lb", '\n');
    announcer.signal("TERM");
    assert_eq!(announcer.wait(), Some(0), "{}", announcer.log());
    watcher.logged("route removed vni=23 destination=10.0.23.0/24 next_hop=2001:db8::1", '\n');
}

#[test]
fn a_server_that_starts_after_its_leaf_is_waited_for_without_a_complaint() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut command = Command::new(BINARY);
    command.args(["client", "--server", &address]);
    let leaf = Process::spawn(command);
    leaf.logged("INFO waiting for the server", '\n');
    let mut command = Command::new(BINARY);
    command.args(["server", "--shards", "1", "--listen", &address]);
    let _server = Process::spawn(command);
    leaf.logged("session established", '\n');
    assert!(!leaf.log().contains("WARN") && !leaf.log().contains("ERROR"), "{}", leaf.log());
}

#[test]
fn it_waits_for_its_servers_without_end_and_complains_once() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut command = Command::new(BINARY);
    command.args(["client", "--server", &address, "--server", "no-such-host.invalid:4711", "-v"]);
    let mut leaf = Process::spawn(command);
    // The pauses between these are 0.5 s and 1 s.
    leaf.logged("no session; trying again", '\n');
    let again = format!("DEBUG no session peer=\"{address}\"");
    leaf.logged(&again, '\n');
    let complaints =
        leaf.log().matches(&format!("WARN no session; trying again peer=\"{address}\"")).count();
    assert_eq!(complaints, 1, "{}", leaf.log());
    leaf.signal("INT");
    assert_eq!(leaf.wait(), Some(0));
}

#[test]
fn repeated_flags_are_harmless() {
    let server = Process::start(&[]);
    let address = server.address().to_string();
    let route_twice = "1#10.0.0.1/32#2001:db8::1,1#10.0.0.1/32#2001:db8::1";
    let flags = ["--server", &address, "--subscribe", "2,2", "--announce", route_twice];
    let leaf = server.client(&flags);
    leaf.logged("session established", '\n');
    for complaint in ["is a peer already", "already subscribed to VNI 2", "already announced"] {
        leaf.logged(complaint, '\n');
    }
    let mut session = Client::establish(server.address());
    session.subscribe(1);
    session.until("the route", |session| session.view.len() == 1);
}

/// What a leaf answers: status and body.
fn get(leaf: &Process, path: &str) -> (String, String) {
    let port: u16 = leaf.logged("http=[::1]:", '\n').trim().parse().unwrap();
    let mut stream = TcpStream::connect(("::1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

/// Asks until the answer is as it should be.
fn until(leaf: &Process, path: &str, is_so: impl Fn(&str, &str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = get(leaf, path);
        if is_so(&status, &body) {
            return;
        }
        assert!(Instant::now() < deadline, "{path}: {status} {body}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn http_tells_of_the_leaf() {
    let server = Process::start(&[]);
    let _publisher = server.client(&["--announce", "7#10.0.0.1/32#2001:db8::1"]);
    let leaf = server.client(&["--http", "[::1]:0", "--subscribe", "7,8"]);
    for path in ["/livez", "/healthz", "/health"] {
        assert_eq!(get(&leaf, path), ("200".to_owned(), "ok\n".to_owned()));
    }
    until(&leaf, "/readyz", |status, body| (status, body) == ("200", "ok\n"));
    let destination = r#""{\"IPVersion\":4,\"Prefix\":\"10.0.0.1/32\"}": ["#;
    until(&leaf, "/routes.json", |_, body| body.contains(destination));
    let (_, yaml) = get(&leaf, "/routes.yaml?vni=7");
    assert!(yaml.contains("\n    - targetaddress: 2001:db8::1\n"), "{yaml}");
    assert!(get(&leaf, "/routes.yaml?vni=8").1.contains("vnet: {}\n"));
    let (_, metrics) = get(&leaf, "/metrics");
    for line in [
        "metalbond_routes 1",
        "metalbond_subscriptions 2",
        "metalbond_subscriptions_behind 0",
        "metalbond_peers{state=\"established\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    promtool::has_no_complaints(&metrics);
}

#[test]
fn a_leaf_without_its_server_lives_and_is_not_ready() {
    let mut command = Command::new(BINARY);
    command.args(["client", "--server", "[::1]:1", "--subscribe", "7", "--http", "[::1]:0"]);
    let leaf = Process::spawn(command);
    assert_eq!(get(&leaf, "/readyz"), ("503".to_owned(), "no server is connected\n".to_owned()));
    assert_eq!(get(&leaf, "/livez").0, "200");
}

#[test]
fn a_skipped_message_of_a_server_is_logged_once_for_its_reason() {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = Command::new(BINARY);
    command.args(["client", "--server", &address, "--subscribe", "1"]);
    let mut client = Process::spawn(command);
    let bad = [frame(5, &[]), frame(5, &[0xff]), frame(5, &[])].concat();
    let hello = encode([&Message::Hello(Hello { is_server: true, ..plain_hello() })]);
    let bytes = [hello, frame(2, &[]), bad].concat();
    // The same in each session, as a server does that reflects what it got.
    for _ in 0..2 {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(&bytes).unwrap();
        // It reads until the client has subscribed, and so has taken in what was sent.
        let mut read = Vec::new();
        while !read.windows(4).any(|bytes| bytes == [1, 0, 2, 3]) {
            let mut buffer = [0; 1000];
            let count = socket.read(&mut buffer).unwrap();
            assert!(count > 0, "{}", client.log());
            read.extend_from_slice(&buffer[..count]);
        }
    }
    client.signal("TERM");
    client.wait();
    let log = client.log();
    assert_eq!(log.matches("skipped a message that makes no sense").count(), 2, "{log}");
}
