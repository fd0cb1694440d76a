//! Accepts connections and hands each to the shard with the fewest.
//!
//! Runs on the control thread. No error of accepting ends the loop: a connection that ended before it was accepted is
//! skipped; without descriptors or memory the loop waits a little, while the kernel's queue holds the connections. The
//! kernel's own distribution (SO_REUSEPORT) is not used: it hashes addresses, and would crowd a few connections on one
//! shard.
//!
//! New settings pass through the acceptor on their way to the shards. So each connection that was admitted under the
//! old settings reaches its shard before the new settings do, and the shard checks it again.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::access::{Gate, SourceShare};
use crate::config::{Guard, ReflectorConfig};
use crate::diary::{LeftOut, Limiter, SourceLimiter};
use crate::ids::{PeerId, ShardId};
use crate::session::{CloseReason, TlsPeer};
use crate::terminator::{News, Secured, Terminator, Waiting};
use crate::threads::{Admission, Arrived, Control, Gauge, Lobby, Phase, Queue, ShardOrder, accept};
use crate::tls::Ending;

/// How long to wait when the system can't give another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long a shard may take to close a connection that makes room.
const MAKES_ROOM: Duration = Duration::from_millis(10);

/// Accepts connections and gives them to shards.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    /// The configuration; its first value is that of the start.
    pub(super) news: watch::Receiver<ReflectorConfig>,
    pub(super) shards: Vec<(Sender<ShardOrder>, Arc<Gauge>)>,
    pub(super) control: Arc<Control>,
    /// The second listener and its handshakes, if there is TLS.
    pub(super) tls: Option<Terminator>,
    /// The rules for packets on both listeners.
    pub(super) guard: Guard,
}

/// An event of a listener.
enum Incoming {
    /// Over TCP.
    Accepted(std::io::Result<(TcpStream, SocketAddr)>),
    /// Over TLS.
    Tls(News),
}

/// The rules by which an acceptor admits connections.
#[derive(Debug)]
pub(super) struct Rules {
    gate: Gate,
    queue: Queue,
    began: Instant,
    /// The limiter of log lines about refused connections.
    refused: SourceLimiter,
    limiter: Limiter,
}

impl Rules {
    /// The rules of these settings.
    pub(super) fn new(config: &ReflectorConfig, lobby: &Arc<Lobby>) -> Self {
        lobby.set_max(config.max_peers);
        Self {
            gate: Gate::new(config.access.clone()),
            queue: Queue::new(Arc::clone(lobby)),
            began: Instant::now(),
            refused: SourceLimiter::new(),
            limiter: Limiter::new(),
        }
    }

    /// The admission of a connection that another process had admitted. A limit that is lower here ends
    /// no session.
    pub(super) fn readmit(
        &mut self,
        peer: PeerId,
        remote: SocketAddr,
        shard: ShardId,
        has_begun: bool,
    ) -> Admission {
        let place = self.gate.readmit(remote);
        let seat = self.queue.enter(peer, shard.index());
        if has_begun {
            seat.go_on();
        }
        Admission { place, seat, ending: None }
    }
}

impl Acceptor {
    /// Accepts until dropped, or until the shards are gone.
    pub(super) async fn run(mut self, mut rules: Rules) {
        self.news.mark_unchanged();
        if let Some(Err(error)) = self.tls.as_mut().map(Terminator::watch) {
            warn!(%error, "cannot listen for sessions over TLS: this process accepts none");
            self.tls = None;
        }
        let mut phase = self.control.phase.subscribe();
        let mut turns = Turns::default();
        loop {
            if *phase.borrow_and_update() != Phase::Here {
                self.control.set_accepts(false);
                if phase.changed().await.is_err() {
                    return;
                }
                continue;
            }
            self.control.set_accepts(true);
            let event = tokio::select! {
                biased;
                Ok(()) = phase.changed() => continue,
                Ok(()) = self.news.changed() => {
                    self.renew(&mut rules).await;
                    continue;
                }
                event = turns.next(
                    async { Incoming::Tls(next(&mut self.tls).await) },
                    async { Incoming::Accepted(accept(&self.listener).await) },
                ) => event,
            };
            // A connection that came after the new settings must meet them.
            if self.news.has_changed().unwrap_or(false) {
                self.renew(&mut rules).await;
            }
            let goes_on = match event {
                Incoming::Accepted(Ok(accepted)) => self.accepted(&mut rules, accepted).await,
                Incoming::Tls(News::Arrived(Ok(arrived))) => {
                    self.arrived(&mut rules, arrived);
                    true
                }
                Incoming::Tls(News::Secured(secured)) => self.secured(&mut rules, *secured).await,
                Incoming::Accepted(Err(error)) | Incoming::Tls(News::Arrived(Err(error))) => {
                    self.exhausted(&mut rules, &error).await;
                    true
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// A connection over TCP has come. `false` when there is no shard left.
    async fn accepted(&self, rules: &mut Rules, (socket, remote): (TcpStream, SocketAddr)) -> bool {
        let remote = canonical(remote);
        let peer = self.control.next_peer();
        let Ok(socket) = socket.into_std() else { return true };
        match self.admit(rules, remote) {
            Ok(place) => self.serve(rules, (peer, remote, socket), place, None).await,
            Err(reason) => {
                self.refuse(rules, peer, remote, &reason);
                true
            }
        }
    }

    /// A connection has come that will shake hands over TLS.
    fn arrived(&mut self, rules: &mut Rules, (socket, remote): (TcpStream, SocketAddr)) {
        let remote = canonical(remote);
        let peer = self.control.next_peer();
        let Ok(socket) = socket.into_std() else { return };
        match self.admit(rules, remote) {
            Ok(place) => {
                if let Some(tls) = &mut self.tls {
                    tls.shake_hands(Waiting { peer, remote, socket, place });
                }
            }
            Err(reason) => self.refuse(rules, peer, remote, &reason),
        }
    }

    /// A connection has shaken hands over TLS; it must pass the rules again. `false` when there is no shard left.
    async fn secured(&self, rules: &mut Rules, secured: Secured) -> bool {
        let Secured { peer, remote, socket, place, tls, ending } = secured;
        let is_denied = !rules.gate.allows(remote);
        let verdict = if is_denied { Err(CloseReason::Denied) } else { self.has_room() };
        match verdict {
            Ok(()) => self.serve(rules, (peer, remote, socket), place, Some((tls, ending))).await,
            Err(reason) => {
                self.refuse(rules, peer, remote, &reason);
                true
            }
        }
    }

    /// Gives a connection to a shard. `false` when there is none left.
    async fn serve(
        &self,
        rules: &mut Rules,
        (peer, remote, socket): (PeerId, SocketAddr, std::net::TcpStream),
        place: SourceShare,
        tls: Option<(Arc<TlsPeer>, Option<Ending>)>,
    ) -> bool {
        let Some(shard) = self.least_loaded() else { return false };
        let seat = rules.queue.enter(peer, shard);
        let (tls, ending) = tls.map_or((None, None), |(tls, ending)| (Some(tls), ending));
        let admission = Admission { place, seat, ending };
        let arrived = Arrived { peer, remote, socket, admission, tls };
        if !self.hand_over(shard, ShardOrder::Serve(Box::new(arrived))).await {
            return false;
        }
        let surplus = rules.queue.take_surplus();
        self.make_room(surplus);
        true
    }

    fn refuse(&self, rules: &Rules, peer: PeerId, remote: SocketAddr, reason: &CloseReason) {
        self.control.refused.count(reason);
        rules.log(peer, remote, reason);
    }

    /// The system could not give a connection.
    async fn exhausted(&self, rules: &mut Rules, error: &std::io::Error) {
        if is_passing(error.kind()) {
            return;
        }
        if let Some(left_out) = rules.limiter.allow() {
            warn!(
                %error,
                left_out,
                "cannot accept connections for now; if too many files are open, raise LimitNOFILE"
            );
        }
        // A connection that says nothing holds what others need. Only one at a time, because a connection that
        // has just come is about to say HELLO.
        let oldest = rules.queue.take_oldest();
        self.make_room(oldest);
        let pause = if oldest.is_some() { MAKES_ROOM } else { EXHAUSTED };
        tokio::time::sleep(pause).await;
    }

    /// Adopts the newest settings, and passes them on.
    async fn renew(&mut self, rules: &mut Rules) {
        let new = self.news.borrow_and_update().clone();
        let order = ShardOrder::settings_of(&new);
        self.control.lobby.set_max(new.max_peers);
        rules.gate.set(new.access);
        let tls = self.tls.as_ref().and_then(Terminator::descriptor);
        let listeners: Vec<_> = [self.listener.as_fd()].into_iter().chain(tls).collect();
        if let Err(error) = self.guard.set(&new.guard, &listeners) {
            error!(%error, "cannot set all of --min-ttl and the key files (--tcp-md5-key-file, \
                 --tcp-ao-key-file): for new connections only the rules apply that the kernel accepted");
        }
        self.control.order_all(order).await;
    }

    fn admit(&self, rules: &mut Rules, remote: SocketAddr) -> Result<SourceShare, CloseReason> {
        self.has_room()?;
        rules.gate.admit(rules.began.elapsed(), remote)
    }

    /// Whether there may be another session, from any source.
    fn has_room(&self) -> Result<(), CloseReason> {
        if self.control.is_draining() {
            return Err(CloseReason::Draining);
        }
        self.control.lobby.check()
    }

    fn least_loaded(&self) -> Option<usize> {
        let awake = self.shards.iter().take(self.control.awake());
        let loads = awake.map(|(_, gauge)| load(gauge)).enumerate();
        loads.min_by_key(|(_, load)| *load).map(|(shard, _)| shard)
    }

    /// Gives an order to a shard. `false` when there is no shard left to take it.
    async fn hand_over(&self, shard: usize, order: ShardOrder) -> bool {
        let (orders, gauge) = &self.shards[shard];
        gauge.connections.add(1);
        orders.send(order).await.is_ok()
    }

    /// Ends a connection that waits for its HELLO. Where the shard has too many orders already, it is
    /// left to its timeout.
    fn make_room(&self, oldest: Option<(PeerId, usize)>) {
        if let Some((peer, shard)) = oldest {
            self.shards[shard].0.try_send(ShardOrder::MakeRoom(peer)).ok();
        }
    }
}

impl Rules {
    fn log(&self, peer: PeerId, remote: SocketAddr, reason: &CloseReason) {
        if let Some(LeftOut { lines, sources, most }) = self.refused.left_out() {
            warn!(left_out = lines, sources, most_of = %most, "refused connections left out of the log");
        }
        if !self.refused.allows(remote) {
            return;
        }
        let (name, why) = (reason.name(), reason);
        if reason.is_ordinary() {
            info!(%peer, %remote, reason = %name, %why, "connection refused");
        } else {
            warn!(%peer, %remote, reason = %name, %why, "connection refused");
        }
    }
}

/// Lets two sources of events take turns, so that neither keeps the other waiting: connections that are refused come
/// without end.
#[derive(Debug, Default)]
struct Turns {
    /// Whether the first source had the latest event.
    was_first: bool,
}

impl Turns {
    /// The next event. If both sources have one, it is from the one that did not have the latest.
    async fn next<T>(
        &mut self,
        first: impl Future<Output = T>,
        second: impl Future<Output = T>,
    ) -> T {
        let (first, second) = (async { (first.await, true) }, async { (second.await, false) });
        let event;
        (event, self.was_first) = if self.was_first {
            tokio::select! { biased; it = second => it, it = first => it }
        } else {
            tokio::select! { biased; it = first => it, it = second => it }
        };
        event
    }
}

/// The next event of TLS; never ready without TLS.
async fn next(tls: &mut Option<Terminator>) -> News {
    match tls {
        Some(tls) => tls.next().await,
        None => std::future::pending().await,
    }
}

fn load(gauge: &Gauge) -> u64 {
    gauge.connections.get()
}

/// IPv4 as such, also for a connection on a socket of both families. Other addresses keep their scope.
fn canonical(remote: SocketAddr) -> SocketAddr {
    match remote.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, remote.port()).into(),
        IpAddr::V6(_) => remote,
    }
}

/// Whether an error is about one connection that is already gone.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_listener_that_always_has_connections_keeps_no_other_waiting() {
        let mut turns = Turns::default();
        let mut order = String::new();
        for _ in 0..3 {
            order.push(turns.next(ready('a'), ready('b')).await);
            order.push(turns.next(ready('a'), ready('b')).await);
        }
        assert_eq!(order, "ababab");
        assert_eq!(turns.next(pending(), ready('b')).await, 'b');
        assert_eq!(turns.next(ready('a'), pending()).await, 'a');
        assert_eq!(turns.next(ready('a'), pending()).await, 'a');
    }
}
