//! The last minutes and what comes next, and the files of the page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{Client, PATIENCE, ReflectorConfig, eventually, on_each_io, routes};

on_each_io!(
    history_has_a_sample_a_second,
    the_stream_begins_with_the_history_and_goes_on,
    rates_are_of_the_second_before,
    streams_are_bounded,
    a_stream_that_is_not_read_holds_up_nobody,
    the_page_is_served_with_rules,
);

/// A reader of the stream.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(http: SocketAddr) -> Self {
        let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        Self(BufReader::new(socket))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line.trim_end().to_owned()
    }

    /// The status of the answer.
    fn status(&mut self) -> u16 {
        self.line().split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The next event.
    fn event(&mut self) -> (String, Value) {
        loop {
            let line = self.line();
            let Some(name) = line.strip_prefix("event: ") else { continue };
            let data = self.line();
            let data = data.strip_prefix("data: ").expect("data after an event's name");
            return (name.to_owned(), serde_json::from_str(data).unwrap());
        }
    }
}

/// Where a member of a sample is.
fn place(history: &Value, name: &str) -> usize {
    let fields = history["fields"].as_array().unwrap();
    fields.iter().position(|field| field == name).unwrap_or_else(|| panic!("no {name}"))
}

fn history_has_a_sample_a_second(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let _client = Client::establish(address);
    let history = || get_json(http, "/api/v1/history");
    eventually("two samples", || history()["samples"].as_array().unwrap().len() >= 2);
    let whole = history();
    let at = place(&whole, "at_seconds");
    let samples = whole["samples"].as_array().unwrap();
    let apart = samples[1][at].as_f64().unwrap() - samples[0][at].as_f64().unwrap();
    assert!(apart > 0.9, "{apart}");
    let count = whole["fields"].as_array().unwrap().len();
    assert!(samples.iter().all(|sample| sample.as_array().unwrap().len() == count));
}

fn the_stream_begins_with_the_history_and_goes_on(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let _client = Client::establish(address);
    let mut stream = Stream::open(http);
    assert_eq!(stream.status(), 200);
    let (name, history) = stream.event();
    assert_eq!(name, "history");
    let peers = place(&history, "peers");
    loop {
        let (name, sample) = stream.event();
        assert_eq!(name, "sample");
        if sample[peers] == 1 {
            break;
        }
    }
}

fn rates_are_of_the_second_before(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    let mut stream = Stream::open(http);
    let (_, history) = stream.event();
    // The first sample has nothing before it.
    stream.event();
    let all = routes(1, 0..1000, 1);
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    let of = |name: &str| place(&history, name);
    let (received, sent) = (of("updates_received_per_second"), of("updates_sent_per_second"));
    let (propagated, slowest) = (of("propagation_count"), of("propagation_p99_seconds"));
    let [mut received_sum, mut sent_sum, mut count] = [0.0; 3];
    while received_sum < 900.0 || sent_sum < 900.0 || count < 1.0 {
        let (_, sample) = stream.event();
        let value = |at: usize| sample[at].as_f64().unwrap();
        // Seconds are not exactly one second long.
        received_sum += value(received);
        sent_sum += value(sent);
        count += value(propagated);
        assert_eq!(sample[slowest].is_null(), value(propagated) == 0.0);
    }
    assert!(received_sum < 1100.0 && sent_sum < 1100.0, "{received_sum} {sent_sum}");
}

fn streams_are_bounded(config: ReflectorConfig) {
    let (_reflector, _address, http) = start_with_http(config);
    let mut streams: Vec<_> = (0..64).map(|_| Stream::open(http)).collect();
    assert!(streams.iter_mut().all(|stream| stream.status() == 200));
    let answer = get(http, "/api/v1/live");
    assert_eq!(answer.status, 503);
    let sentence = "64 streams of this kind are open already; end one of them";
    assert_eq!(answer.json(), json!({"error": sentence}));
    drop(streams);
    eventually("room for another", || Stream::open(http).status() == 200);
}

fn a_stream_that_is_not_read_holds_up_nobody(config: ReflectorConfig) {
    let (_reflector, _address, http) = start_with_http(config);
    let _stalled = Stream::open(http);
    let mut stream = Stream::open(http);
    assert_eq!(stream.event().0, "history");
    for _ in 0..2 {
        assert_eq!(stream.event().0, "sample");
    }
}

fn the_page_is_served_with_rules(config: ReflectorConfig) {
    let (_reflector, _address, http) = start_with_http(config);
    let page = get(http, "/");
    assert_eq!(page.status, 200);
    for rule in [
        "content-security-policy: default-src 'none'; script-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-cache",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(page.head.contains(rule), "{rule}: {}", page.head);
    }
    // Every file that the page and its scripts name is there.
    let mut wanted: Vec<String> = names(&page.body, "\"page/");
    let mut seen = Vec::new();
    while let Some(name) = wanted.pop() {
        let file = get(http, &format!("/page/{name}"));
        assert_eq!(file.status, 200, "{name}");
        seen.push(name);
        let more = names(&file.body, "from \"./");
        wanted.extend(more.into_iter().filter(|name| !seen.contains(name)));
    }
    assert!(seen.len() >= 10, "{seen:?}");
    assert_eq!(get(http, "/page/nothing.js").status, 404);
    let tag = page.head.split("etag: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
    write!(socket, "GET / HTTP/1.0\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n").unwrap();
    let mut status = String::new();
    BufReader::new(socket).read_line(&mut status).unwrap();
    assert!(status.contains("304"), "{status}");
}

/// What follows some words up to the closing quote.
fn names(text: &str, before: &str) -> Vec<String> {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}
