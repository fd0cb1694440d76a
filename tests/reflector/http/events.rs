//! The stream of events.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::harness::http::{get, start_with_http};
use crate::harness::{Client, PATIENCE, ReflectorConfig, on_each_io, route};

on_each_io!(events_come_in_order_and_as_documented, a_wrong_parameter_is_a_sentence);

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

    /// The next event, which must be of this kind.
    fn expect(&mut self, kind: &str) -> Value {
        let mut line = String::new();
        while !line.starts_with("data: ") {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "no {kind}");
        }
        let event: Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
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

fn a_wrong_parameter_is_a_sentence(config: ReflectorConfig) {
    let (_reflector, _, http) = start_with_http(config);
    let answer = get(http, "/api/v1/events?vni=x");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "vni: expected a VNI, found \"x\"");
}
