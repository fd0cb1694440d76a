//! Takes connections and answers on them.
//!
//! Bounds: so many connections at a time, and so long for the head of each request, so that whoever
//! connects and says nothing does not keep the probes of a supervisor out for long. When all places
//! are taken, further connections wait in the kernel's queue. An answer takes as long as its reader;
//! one that has gone, or reads nothing, is given up when the kernel says so. Half of the places are for
//! others than any one source: a reader that hangs again and again does not keep probes out either.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::sources::{Counts, Source};

/// What is bounded.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Connections at a time.
    connections: usize,
    /// Of these, of one [`Source`]. Further ones are closed.
    per_source: u64,
    /// For the head of a request, from the connection's begin or the answer before.
    head: Duration,
}

const BOUNDS: Bounds = Bounds { connections: 512, per_source: 256, head: Duration::from_secs(10) };
/// After an error of the listener's, for example too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// For what was sent to be acknowledged.
#[cfg(target_os = "linux")]
const GONE: Duration = Duration::from_secs(30);

/// Where connections come from.
pub(crate) trait Listener {
    type Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and where it comes from if that is an address.
    async fn accept(&self) -> io::Result<(Self::Socket, Option<IpAddr>)>;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Option<IpAddr>)> {
        let (socket, remote) = Self::accept(self).await?;
        // Neither is needed to answer.
        socket.set_nodelay(true).ok();
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(GONE)).ok();
        Ok((socket, Some(remote.ip())))
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Socket = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<(Self::Socket, Option<IpAddr>)> {
        Ok((Self::accept(self).await?.0, None))
    }
}

/// Answers until dropped, which ends all connections.
pub(crate) async fn serve(listener: impl Listener, router: Router) {
    serve_within(BOUNDS, listener, router).await;
}

async fn serve_within(bounds: Bounds, listener: impl Listener, router: Router) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut held = Counts::default();
    loop {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((socket, address)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let source = address.map(Source::of);
        if source.is_some_and(|source| held.of(source) >= bounds.per_source) {
            continue;
        }
        let taken = (place, source.map(|source| held.add(source)));
        let router = router.clone();
        connections.spawn(async move {
            converse(bounds, socket, router).await;
            drop(taken);
        });
    }
}

async fn converse(
    bounds: Bounds,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .serve_connection(TokioIo::new(socket), service);
    // An error is the other side's, and is told to it where that makes sense.
    connection.await.ok();
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use support::PATIENCE;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    /// A server within these bounds, and where it listens.
    async fn start(bounds: Bounds) -> (JoinSet<()>, std::net::SocketAddr) {
        let listener = TcpListener::bind(("::1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "answer"));
        let mut server = JoinSet::new();
        server.spawn(serve_within(bounds, listener, router));
        (server, address)
    }

    /// All that is read until the end of the connection.
    async fn rest(socket: &mut TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(PATIENCE, socket.read_to_string(&mut text));
        read.await.expect("the connection ends").unwrap();
        text
    }

    #[tokio::test]
    async fn who_says_nothing_is_hung_up_on() {
        let bounds = Bounds { connections: 9, per_source: 9, head: Duration::from_secs(2) };
        let (_server, address) = start(bounds).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(&REQUEST[..10]).await.unwrap();
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(REQUEST).await.unwrap();
        assert!(rest(&mut silent).await.is_empty());
        assert!(!rest(&mut slow).await.contains("answer"));
        assert!(rest(&mut idle).await.ends_with("answer"));
    }

    #[tokio::test]
    async fn more_than_there_is_room_for_wait() {
        let bounds = Bounds { connections: 2, per_source: 2, head: Duration::from_secs(5) };
        let (_server, address) = start(bounds).await;
        let _holders = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(REQUEST).await.unwrap();
        let read = tokio::time::timeout(Duration::from_millis(100), third.readable());
        assert!(read.await.is_err(), "answered although all places are taken");
        assert!(rest(&mut third).await.contains("answer"));
    }

    #[tokio::test]
    async fn no_source_takes_all_places() {
        let listener = TcpListener::bind(("::", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bounds = Bounds { connections: 8, per_source: 2, head: PATIENCE };
        let router = Router::new().route("/", get(async || "answer"));
        let mut server = JoinSet::new();
        server.spawn(serve_within(bounds, listener, router));
        let connect = async |address: &str| TcpStream::connect((address, port)).await.unwrap();
        let (first, second) = (connect("::1").await, connect("::1").await);
        assert!(rest(&mut connect("::1").await).await.is_empty());
        let request = [&REQUEST[..REQUEST.len() - 2], b"Connection: close\r\n\r\n"].concat();
        let mut other = connect("127.0.0.1").await;
        other.write_all(&request).await.unwrap();
        assert!(rest(&mut other).await.ends_with("answer"));
        // Who has gone makes room, as soon as that is seen.
        drop((first, second));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut again = connect("::1").await;
            let mut answer = String::new();
            // A connection that is closed at once may refuse what it is sent.
            again.write_all(&request).await.ok();
            again.read_to_string(&mut answer).await.ok();
            if answer.ends_with("answer") {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "no room: {answer:?}");
        }
    }
}
