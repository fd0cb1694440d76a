//! One server: a task that connects, holds a session, and connects again, for ever.
//!
//! State: the connection, and the pauses between attempts. The task knows nothing of routes: it sends what it reads to
//! the actor, and what the actor orders to the server. It runs on any thread, one task per server, so a dead server
//! holds up no other one.
//!
//! * `connection`: the I/O of one session; `session`: its protocol.
//! * `output`: the data that waits to be written, and the pace.
//! * `tls`: secures a connection; `guard`: the packets that the kernel drops.
//! * `backoff`: the pauses; `names`: looks up the server's name.
//! * `task`: what all of them share.

mod backoff;
mod connection;
mod guard;
mod names;
mod output;
mod session;
mod task;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
mod tls_absent;
#[cfg(not(feature = "tls"))]
use tls_absent as tls;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use self::backoff::Pauses;
use self::connection::{Connection, GOODBYE_TIME};
use self::guard::Guard;
pub(super) use self::task::Peer;
use self::task::SessionEnd;
use super::messages::{PeerEvent, PeerOrder};
use super::{LeafTls, PeerState, SessionError};

/// The longest time to resolve a name and connect to one of its addresses.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// A server not reached for this time since the leaf began is worth a warning. Both may be starting.
const PATIENCE: Duration = Duration::from_secs(3);
/// A session that held for this time was good: pauses and the log begin anew.
const HELD: Duration = Duration::from_secs(10);

impl Peer {
    /// Runs until the actor stops it or is gone.
    pub(super) async fn run(mut self) {
        let mut pauses = Pauses::new(self.config.backoff);
        let mut logged: Option<SessionError> = None;
        let mut waits = Some(Instant::now());
        for session in 1.. {
            self.established = None;
            let (error, again) = match self.session(session).await {
                SessionEnd::Session(error) => (error, false),
                SessionEnd::Reset(error) => (error, true),
                SessionEnd::Task => return,
            };
            if self.established.is_some_and(|since| since.elapsed() >= HELD) {
                pauses.reset();
                logged = None;
            }
            let is_absent = matches!(error, SessionError::Resolve(_) | SessionError::Connect(_));
            waits = waits.filter(|since| is_absent && since.elapsed() < PATIENCE);
            // The log does not repeat at every attempt that a server is down or faulty.
            if waits.is_some() {
                if session == 1 {
                    info!(peer = self.address, reason = %error, "waiting for the server");
                }
            } else if logged.as_ref() == Some(&error) {
                debug!(peer = self.address, %error, "no session");
            } else {
                warn!(peer = self.address, %error, "no session; trying again");
                logged = Some(error.clone());
            }
            if self.send(PeerEvent::Ended(error)).await.is_err() {
                return;
            }
            if !again && self.pause(pauses.next()).await.is_err() {
                return;
            }
        }
    }

    async fn session(&mut self, session: u64) -> SessionEnd {
        match self.try_session(session).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn try_session(&mut self, session: u64) -> Result<std::convert::Infallible, SessionEnd> {
        self.send(PeerEvent::State(PeerState::Connecting)).await?;
        let guard = Guard::of(&self.config)?;
        let connecting = connect(self.address.clone(), self.local, guard);
        let stream = tokio::select! {
            connected = connecting => connected?,
            end = no_session(&mut self.orders) => return Err(end),
        };
        debug!(peer = self.address, "connected");
        let Some(settings) = self.config.tls.clone() else {
            return Connection::new(stream, self, session).run().await;
        };
        let (stream, carrier) = tokio::select! {
            secured = secure(stream, &settings, &self.address) => secured?,
            end = no_session(&mut self.orders) => return Err(end),
        };
        debug!(peer = self.address, "TLS handshake done");
        let end = match Connection::new(stream, self, session).run().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        Err(match (end, carrier.fault()) {
            // A server that refuses the certificate says so after the handshake.
            (SessionEnd::Session(_), Some(fault)) => SessionError::Tls(fault.to_string()).into(),
            (SessionEnd::Task, _) => {
                // The last messages are with the carrier, and a program that ends would end it.
                carrier.finish(GOODBYE_TIME).await;
                SessionEnd::Task
            }
            (end, _) => end,
        })
    }

    /// Waits; `Err` at the task's end.
    async fn pause(&mut self, pause: Duration) -> Result<(), SessionEnd> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            end = no_session(&mut self.orders) => match end {
                SessionEnd::Reset(_) | SessionEnd::Session(_) => Ok(()),
                SessionEnd::Task => Err(SessionEnd::Task),
            },
        }
    }
}

/// Handles orders while there is no session.
async fn no_session(orders: &mut mpsc::UnboundedReceiver<PeerOrder>) -> SessionEnd {
    loop {
        match orders.recv().await {
            Some(PeerOrder::Send { .. } | PeerOrder::End { .. }) => {} // for a session that is over
            Some(PeerOrder::Reset) => return SessionEnd::Reset(SessionError::Reset),
            Some(PeerOrder::Stop) | None => return SessionEnd::Task,
        }
    }
}

/// Makes the TLS handshake within the time limit.
async fn secure(
    stream: TcpStream,
    settings: &LeafTls,
    address: &str,
) -> Result<(TcpStream, tls::Carrier), SessionError> {
    let secured = timeout(CONNECT_TIME, tls::secure(stream, settings, address)).await;
    secured.map_err(|_| SessionError::Tls(format!("no TLS handshake within {CONNECT_TIME:?}")))?
}

/// Connects to the first address of the name that answers. Each address has an equal share of the time, so
/// that an address that drops packets does not keep the others from being tried.
async fn connect(
    address: String,
    local: Option<IpAddr>,
    guard: Guard,
) -> Result<TcpStream, SessionError> {
    let addresses = timeout(CONNECT_TIME, names::look_up(&address)).await;
    let addresses = addresses.map_err(|_| SessionError::Resolve("no answer".into()))?;
    let addresses = addresses.map_err(SessionError::Resolve)?;
    let fits = |a: &SocketAddr| local.is_none_or(|local| local.is_ipv4() == a.is_ipv4());
    let addresses: Vec<_> = addresses.into_iter().filter(fits).collect();
    let share = CONNECT_TIME / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failed = SessionError::Resolve("no address of the right family (IPv4 or IPv6)".into());
    for address in addresses {
        failed = match timeout(share, connect_to(address, local, &guard)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => SessionError::Connect(error.to_string()),
            Err(_) => SessionError::ConnectTimeout(share),
        };
    }
    Err(failed)
}

async fn connect_to(
    address: SocketAddr,
    local: Option<IpAddr>,
    guard: &Guard,
) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    guard.set(&socket, address.ip())?;
    if let Some(local) = local {
        let mut from = SocketAddr::new(local, 0);
        if let (SocketAddr::V6(from), SocketAddr::V6(to)) = (&mut from, address)
            && from.ip().is_unicast_link_local()
        {
            from.set_scope_id(to.scope_id()); // the scope of the interface that leads there
        }
        socket.bind(from)?;
    }
    open(socket, address).await
}

async fn open(socket: TcpSocket, address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = socket.connect(address).await?;
    let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
    if (local.ip(), local.port()) == (remote.ip(), remote.port()) {
        // No process listens, and the kernel has chosen the same port for our end: both ends are this socket.
        // A reset frees the port for the server at once.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        return Err(std::io::Error::other(
            "nothing listens there, and the connection has met itself: this machine gives that port \
             to outgoing connections (net.ipv4.ip_local_port_range)",
        ));
    }
    // This task gathers messages itself; gathering in the kernel only delays them.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_has_met_itself_is_refused() {
        for local in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            let socket = socket.unwrap();
            // The kernel does this by chance when the server's port is in the ephemeral range.
            socket.bind(SocketAddr::new(local, 0)).unwrap();
            let address = socket.local_addr().unwrap();
            let error = open(socket, address).await.unwrap_err();
            assert!(error.to_string().contains("has met itself"), "{error}");
            // Its port is free at once.
            std::net::TcpListener::bind(address).unwrap();
        }
    }
}
