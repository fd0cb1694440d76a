//! The stream of events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::harness::client::hello_of;
use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{Client, PATIENCE, ReflectorConfig, eventually, on_each_io, route};

on_each_io!(
    events_come_in_order_and_as_documented,
    events_are_of_the_kinds_and_the_peer_that_are_asked_for,
    the_recorder_goes_on_where_it_was_left,
    a_wrong_parameter_is_a_sentence,
);

const DOCUMENT: &str = include_str!("../../../docs/http.md");

/// A stream whose head has been read.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(http: SocketAddr, path: &str) -> Self {
        let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut events = Self(BufReader::new(socket));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(events.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.contains("200 OK") && head.contains("text/event-stream"), "{head}");
        events
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "no event");
        }
        serde_json::from_str(&line["data: ".len()..]).unwrap()
    }

    /// The next event, which must be of this kind.
    fn expect(&mut self, kind: &str) -> Value {
        let event = self.next();
        assert_eq!(event["event"], kind);
        event
    }
}

/// Members, and those of members, without their values.
fn members(value: &Value) -> Vec<String> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let of_member = |(name, value): (&String, &Value)| {
        let own = members(value).into_iter().map(move |inner| format!("{name}.{inner}"));
        own.chain([name.clone()]).collect::<Vec<_>>()
    };
    object.iter().flat_map(of_member).collect()
}

fn events_come_in_order_and_as_documented(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut events = Events::of(http, "/api/v1/events?vni=100");
    let examples = DOCUMENT.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut examples = examples.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut expect = |kind| {
        let (event, example) = (events.expect(kind), examples.next().unwrap());
        assert_eq!(members(&event), members(&example));
        event
    };
    let mut client = Client::establish(address);
    assert_eq!(expect("established")["remote"], client.local_addr().to_string());
    // Of another VNI, so it is not told of.
    client.announce(&route(99, 1, 1));
    client.announce(&route(100, 2, 1));
    let added = expect("added");
    assert_eq!((&added["destination"], &added["announcer"]), (&"10.0.0.2/32".into(), &1.into()));
    client.withdraw(&route(100, 2, 1));
    assert_eq!(expect("withdrawn")["next_hop"]["address"], "2001:db8::1");
    drop(client);
    assert_eq!(expect("closed")["reason"], "peer_closed");
}

fn events_are_of_the_kinds_and_the_peer_that_are_asked_for(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let node = |name: &str| Client::connect(address).shake_hands(hello_of(name));
    let mut sessions = Events::of(http, "/api/v1/events?event=closed,established&vni=100");
    let mut second = Events::of(http, "/api/v1/events?peer=host-2");
    let mut added = Events::of(http, "/api/v1/events?peer=%232&event=added");
    let mut one = node("host-1");
    let mut two = node("host-2");
    one.announce(&route(100, 1, 1));
    two.announce(&route(100, 2, 1));
    let destination = |event: Value| event["destination"].as_str().unwrap().to_owned();
    assert_eq!(second.expect("established")["name"], "host-2");
    assert_eq!(destination(second.expect("added")), "10.0.0.2/32");
    assert_eq!(destination(added.expect("added")), "10.0.0.2/32");
    assert_eq!(sessions.expect("established")["name"], "host-1");
    assert_eq!(sessions.expect("established")["name"], "host-2");
    drop(one);
    assert_eq!(sessions.expect("closed")["name"], "host-1");
    drop(two);
    // What ends with the session is told by the same name; of that and the end, either may come first.
    let mut last = [second.next(), second.next()].map(|event| event["event"].to_string());
    last.sort();
    assert_eq!(last, ["\"closed\"", "\"withdrawn\""]);
}

fn the_recorder_goes_on_where_it_was_left(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let node = |name: &str| Client::connect(address).shake_hands(hello_of(name));
    let ask = |query: &str| get_json(http, &format!("/api/v1/recorder?{query}"));
    let nodes = |answer: &Value| -> Vec<String> {
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["event"], row["node"]).replace('"', "")).collect()
    };
    assert!(ask("")["latest"].is_null());
    let _one = node("host-1");
    // The shard notes it after its HELLO has gone out.
    eventually("its begin", || nodes(&ask("")) == ["established host-1"]);
    let before = ask("");
    let latest = before["latest"].as_str().unwrap().to_owned();
    assert!(nodes(&ask(&format!("after={latest}"))).is_empty());
    drop(node("host-2"));
    eventually("its end", || nodes(&ask("event=closed")) == ["closed host-2"]);
    let both = ["established host-2", "closed host-2"];
    assert_eq!(nodes(&ask(&format!("after={latest}"))), both);
    assert_eq!(nodes(&ask("peer=host-2")), both);
    assert_eq!(nodes(&ask("peer=host-2&event=established,drain")), both[..1]);
    assert_eq!(nodes(&ask("peer=host-2&limit=1")), both[1..]);
    // What is not known any more is what another process has said.
    assert_eq!(nodes(&ask("after=1")).len(), 3);
}

fn a_wrong_parameter_is_a_sentence(config: ReflectorConfig) {
    let (_reflector, _, http) = start_with_http(config);
    let answer = get(http, "/api/v1/events?vni=x");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "vni: expected a VNI, found \"x\"");
    let answer = get(http, "/api/v1/events?event=added,gone");
    assert_eq!(
        answer.json()["error"],
        "event: expected added, withdrawn, established or closed, or several with commas, found \"gone\""
    );
    assert_eq!(get(http, "/api/v1/recorder?after=x").status, 400);
}
