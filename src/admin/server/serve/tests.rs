use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use support::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const LIMITS: ServeLimits =
    ServeLimits { waiting: 9, answers: 9, answers_per_source: 9, head: PATIENCE, ..super::LIMITS };

/// A server with these limits on all addresses, and its port. `/stall` begins an answer that never
/// ends.
async fn start(limits: ServeLimits) -> (JoinSet<()>, u16) {
    let listener = TcpListener::bind(("::", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stall = async || {
        let begin = stream::iter([Ok::<_, std::convert::Infallible>("begin")]);
        Body::from_stream(futures_util::StreamExt::chain(begin, stream::pending()))
    };
    let router = Router::new()
        .route("/", get(async || "answer"))
        .route("/livez", get(async || "alive"))
        .route("/stall", get(stall));
    let mut server = JoinSet::new();
    server.spawn(serve_within(limits, listener, Endpoint { entry: EntryRule::Anyone, router }));
    (server, port)
}

async fn connect(from: &str, port: u16) -> TcpStream {
    let address: SocketAddr = match from {
        "::1" => (std::net::Ipv6Addr::LOCALHOST, port).into(),
        _ => (std::net::Ipv4Addr::LOCALHOST, port).into(),
    };
    let from = SocketAddr::new(from.parse().unwrap(), 0);
    let socket = if from.is_ipv6() {
        tokio::net::TcpSocket::new_v6().unwrap()
    } else {
        tokio::net::TcpSocket::new_v4().unwrap()
    };
    socket.bind(from).unwrap();
    socket.connect(address).await.unwrap()
}

async fn ask(socket: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // A connection that is closed at once may refuse the request.
    socket.write_all(request.as_bytes()).await.ok();
}

/// Reads until a text has come.
async fn until(socket: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let wait = async {
        while !read.contains(text) {
            let mut buffer = [0; 1024];
            let count = socket.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed after {read:?}");
            read.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    };
    timeout(PATIENCE, wait).await.expect("an answer");
    read
}

/// Reads until the end of the connection.
async fn rest(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = timeout(PATIENCE, socket.read_to_string(&mut text));
    read.await.expect("the connection ends").ok();
    text
}

/// The answer to a request from a source of its own.
async fn fetch(from: &str, port: u16, path: &str) -> String {
    let mut socket = connect(from, port).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.ok();
    rest(&mut socket).await
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let (_server, port) = start(ServeLimits { head: Duration::from_secs(2), ..LIMITS }).await;
    let mut silent = connect("::1", port).await;
    let mut slow = connect("::1", port).await;
    slow.write_all(b"GET / HTTP").await.unwrap();
    let mut idle = connect("::1", port).await;
    ask(&mut idle, "/").await;
    assert!(rest(&mut silent).await.is_empty());
    assert!(!rest(&mut slow).await.contains("answer"));
    assert!(rest(&mut idle).await.ends_with("answer"));
}

/// Two sources take all places for waiting, silent or between two requests, and all answers.
#[tokio::test]
async fn health_is_answered_whatever_others_hold() {
    let (_server, port) =
        start(ServeLimits { waiting: 4, answers: 4, answers_per_source: 2, ..LIMITS }).await;
    let mut held = Vec::new();
    for from in ["127.0.0.1", "127.0.0.2"] {
        for _ in 0..2 {
            let mut stalled = connect(from, port).await;
            ask(&mut stalled, "/stall").await;
            until(&mut stalled, "begin").await;
            held.push(stalled);
        }
        for _ in 0..4 {
            held.push(connect(from, port).await);
        }
    }
    for from in ["127.0.0.1", "127.0.0.3", "::1"] {
        for _ in 0..12 {
            assert!(fetch(from, port, "/livez").await.ends_with("alive"), "{from}");
        }
        let refused = fetch(from, port, "/").await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert!(refused.ends_with(
            "{\"error\":\"too many answers are being sent at a time; try again later\"}"
        ));
    }
}

#[tokio::test]
async fn a_connection_is_good_for_many_requests_but_for_one_about_health() {
    let (_server, port) = start(ServeLimits { answers: 1, ..LIMITS }).await;
    let mut socket = connect("::1", port).await;
    for _ in 0..3 {
        ask(&mut socket, "/").await;
        until(&mut socket, "answer").await;
    }
    ask(&mut socket, "/livez").await;
    let last = rest(&mut socket).await;
    assert!(last.contains("connection: close") && last.ends_with("alive"), "{last}");
}

#[tokio::test]
async fn no_source_takes_all_answers() {
    let (_server, port) = start(ServeLimits { answers_per_source: 2, ..LIMITS }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stalled = connect("::1", port).await;
        ask(&mut stalled, "/stall").await;
        until(&mut stalled, "begin").await;
        held.push(stalled);
    }
    assert!(fetch("::1", port, "/").await.starts_with("HTTP/1.1 503 "));
    assert!(fetch("127.0.0.1", port, "/").await.ends_with("answer"));
    // A client that has gone makes room, as soon as the server sees that.
    drop(held);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !fetch("::1", port, "/").await.ends_with("answer") {
        assert!(tokio::time::Instant::now() < deadline, "no room");
    }
}

#[tokio::test]
async fn the_date_follows_a_clock_that_is_set_back() {
    static CLOCK: AtomicU64 = AtomicU64::new(1_136_214_245);
    let clock = || CLOCK.load(Ordering::Relaxed);
    let (_server, port) = start(ServeLimits { clock, ..LIMITS }).await;
    let answer = fetch("::1", port, "/").await;
    assert!(answer.contains("date: Mon, 02 Jan 2006 15:04:05 GMT\r\n"), "{answer}");
    CLOCK.store(0, Ordering::Relaxed);
    let answer = fetch("::1", port, "/livez").await;
    assert!(answer.contains("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), "{answer}");
    assert_eq!(answer.matches("date: ").count(), 1);
}
