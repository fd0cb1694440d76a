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

/// What is bounded.
#[derive(Clone, Copy, Debug)]
struct ServeLimits {
    /// Connections that wait for a request or are asked about health.
    waiting: usize,
    /// Answers at a time, other than about health.
    answers: usize,
    /// Of these, to one [`Source`](crate::sources::Source).
    answers_per_source: u64,
    /// For the head of a request, from the connection's begin or the answer before.
    head: Duration,
    /// What time it is, in seconds since 1970.
    clock: fn() -> u64,
}

const LIMITS: ServeLimits = ServeLimits {
    waiting: 256,
    answers: 512,
    answers_per_source: 256,
    head: Duration::from_secs(10),
    clock: super::date::seconds,
};
/// After an error of the listener's.
const PAUSE: Duration = Duration::from_millis(100);
/// Bytes that hyper gathers of one connection, in each direction.
const BUFFER_MAX: usize = 32 * 1024;
/// For what was sent to be acknowledged.
#[cfg(target_os = "linux")]
const GONE: Duration = Duration::from_secs(30);

/// Where connections come from.
pub(crate) trait Listener {
    type Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one, and who it is. Dropping the future loses none.
    async fn accept(&self) -> io::Result<(Self::Socket, Origin)>;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Origin)> {
        let (socket, remote) = Self::accept(self).await?;
        // Neither is needed to answer.
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
        // A number of 0 is a process of another namespace.
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

/// The next connection, when there is no descriptor for it: with a spare one, or that of a connection
/// that waits.
async fn with_a_spare<L: Listener>(
    listener: &L,
    spares: &mut Spares,
    hall: &Hall,
) -> Option<(L::Socket, Origin)> {
    if !spares.give_up_one() {
        if !hall.close_one() {
            return None;
        }
        // It ends when its task has run.
        tokio::task::yield_now().await;
    }
    timeout(PAUSE, listener.accept()).await.ok()?.ok()
}

/// Whether an error is about one connection that is already gone.
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
        // Its own is kept for a second, however the clock was set meanwhile.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        // An error is the other side's, and is told to it where that makes sense.
        _ = connection => {}
        () = visitor.sent_away() => {}
    }
}

#[cfg(test)]
mod tests;
