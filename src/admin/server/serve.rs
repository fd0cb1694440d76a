//! Accepts connections and answers on them.
//!
//! A connection either waits for a request or is being answered. `hall` bounds both numbers: if too many connections
//! wait, the oldest one of the source with the most of them is closed; a request beyond the bound of answers is
//! refused. Requests for health need no place among the answers: they are short, each ends its connection, and until
//! then the connection counts as waiting. So silent connections and readers that hang do not keep a supervisor's probes
//! out, however many they are.
//!
//! An answer takes as long as its reader needs. If the reader has gone or reads nothing, the connection is given up
//! when the kernel reports that. If the process has no descriptors left, a request for health gets a descriptor that
//! was kept for this case (`spare`), or that of a waiting connection.

mod hall;
mod origin;
mod spare;
mod visitor;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::hall::Hall;
pub(crate) use self::origin::{Caller, Origin};
use self::spare::Spares;
use self::visitor::{Endpoint, Visitor};
use super::entry::EntryRule;

/// The limits of a server.
#[derive(Clone, Copy, Debug)]
struct ServeLimits {
    /// The most connections that wait for a request or ask about health.
    waiting: usize,
    /// The most answers at a time, other than about health.
    answers: usize,
    /// The most of these answers to one [`Source`](crate::sources::Source).
    answers_per_source: u64,
    /// How long the head of a request may take, from the beginning of the connection or the end of the answer before.
    head: Duration,
    /// The clock, in seconds since 1970.
    clock: fn() -> u64,
}

const LIMITS: ServeLimits = ServeLimits {
    waiting: 256,
    answers: 512,
    answers_per_source: 256,
    head: Duration::from_secs(10),
    clock: super::date::seconds,
};
/// The pause after an error of the listener.
const PAUSE: Duration = Duration::from_millis(100);
/// The most bytes that hyper buffers for one connection, in each direction.
const BUFFER_MAX: usize = 32 * 1024;
/// How long sent data may remain unacknowledged.
#[cfg(target_os = "linux")]
const GONE: Duration = Duration::from_secs(30);

/// A source of connections.
pub(crate) trait Listener {
    type Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and its client. Dropping the future loses no connection.
    async fn accept(&self) -> io::Result<(Self::Socket, Origin)>;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Origin)> {
        let (socket, remote) = Self::accept(self).await?;
        // An error prevents no answer.
        socket.set_nodelay(true).ok();
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(GONE)).ok();
        Ok((socket, Origin { address: Some(remote), caller: None }))
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Socket = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<(Self::Socket, Origin)> {
        let (socket, _) = Self::accept(self).await?;
        let cred = socket.peer_cred().ok();
        // The number 0 stands for a process of another namespace.
        let pid = cred.and_then(|cred| cred.pid()).filter(|pid| *pid > 0);
        let caller = cred.map(|cred| Caller { uid: cred.uid(), pid });
        Ok((socket, Origin { address: None, caller }))
    }
}

/// Answers until dropped, which ends all connections.
pub(crate) async fn serve(listener: impl Listener, entry: EntryRule, router: Router) {
    serve_within(LIMITS, listener, Endpoint { entry, router }).await;
}

async fn serve_within(limits: ServeLimits, listener: impl Listener, desk: Endpoint) {
    let hall = Arc::new(Hall::new(limits.waiting, limits.answers, limits.answers_per_source));
    let mut connections = JoinSet::new();
    let mut spares = Spares::default();
    loop {
        spares.fill();
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (socket, origin, is_short) = match accepted {
            Ok((socket, origin)) => (socket, origin, false),
            Err(error) if is_passing(error.kind()) => continue,
            Err(_) => match with_a_spare(&listener, &mut spares, &hall).await {
                Some((socket, origin)) => (socket, origin, true),
                None => {
                    sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let visitor = Visitor::new(Arc::clone(&hall), origin, is_short);
        connections.spawn(converse(limits, socket, visitor, desk.clone()));
    }
}

/// The next connection, when there is no descriptor for it: with a spare descriptor, or that of a waiting
/// connection.
async fn with_a_spare<L: Listener>(
    listener: &L,
    spares: &mut Spares,
    hall: &Hall,
) -> Option<(L::Socket, Origin)> {
    if !spares.give_up_one() {
        if !hall.close_one() {
            return None;
        }
        // The closed connection ends once its task has run.
        tokio::task::yield_now().await;
    }
    timeout(PAUSE, listener.accept()).await.ok()?.ok()
}

/// Whether an error concerns one connection that is already gone.
fn is_passing(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted)
}

async fn converse(
    limits: ServeLimits,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    visitor: Arc<Visitor>,
    desk: Endpoint,
) {
    let service = service_fn(|request| Visitor::answer(&visitor, limits.clock, &desk, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER_MAX)
        // hyper caches its own date for a second, whatever happens to the clock.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        // An error is the client's fault, and hyper tells the client if possible.
        _ = connection => {}
        () = visitor.sent_away() => {}
    }
}

#[cfg(test)]
mod tests;
