//! The actor: the only task that owns state of a leaf.
//!
//! In each turn it takes the messages that have arrived, carries out what is due at this time, and hands each waiting
//! reader the changes that it lacks. It never waits for a reader, a server or the dataplane.
//!
//! * `peers`: adds and removes servers.
//! * `statuses`: answers questions about servers, VNIs and routes.
//!
//! Imports: client, client::clock, client::core, client::dataplane, client::embedded, client::messages,
//! client::near_limit, client::notices, client::peer, client::readers, wire.

mod peers;
mod statuses;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Weak;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use tracing::{error, info, warn};

use crate::client::clock::Clock;
use crate::client::core::{CoreConfig, Leaf, RouteLimits, ServerSlot, TooManyRoutes, WatchId};
use crate::client::dataplane::{Batch, Driver};
use crate::client::embedded::{Embedded, StartServer};
use crate::client::messages::{
    ActorEvent, Alteration, EVENTS_MAX, LeafCommand, PeerEvent, PeerOrder, Reply, answer,
};
use crate::client::near_limit;
use crate::client::notices::{self, Notices};
use crate::client::readers::Readers;
use crate::client::{Error, LeafConfig, PeerState, PeerStatus, SessionError};
use crate::wire::{Capabilities, Installed, Vni};

/// The most messages in one order to a peer task: some tens of KiB.
const MESSAGES_MAX: usize = 512;
/// The most changes handed to the dataplane at once.
const CHANGES_MAX: usize = 4096;
/// The greatest difference, in milliseconds, between the delays of two leaves' reports.
const SPREAD: u64 = 500;

/// The actor's record of a server.
#[derive(Debug)]
struct PeerEntry {
    address: String,
    serial: u64,
    status: PeerStatus,
    orders: mpsc::UnboundedSender<PeerOrder>,
    /// The number of the current session, and whether the peer task has written the last order.
    session: u64,
    ready: bool,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Server {
    None,
    Starting,
    Running(Box<dyn Embedded>),
}

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::client) struct Actor {
    config: LeafConfig,
    clock: Clock,
    leaf: Leaf,
    peers: BTreeMap<ServerSlot, PeerEntry>,
    serials: u64,
    readers: Readers,
    notices: Notices,
    server: Server,
    commands: mpsc::Receiver<LeafCommand>,
    events: mpsc::Receiver<ActorEvent>,
    event_sender: mpsc::Sender<ActorEvent>,
    /// The dataplane's driver, and its question while it waits.
    driver: Option<Driver>,
    wanting: Option<oneshot::Sender<Batch>>,
    /// VNIs that the dataplane has to give back, and the callers that wait for each.
    withholding: Vec<(Vni, Reply<()>)>,
}

impl Actor {
    pub(in crate::client) fn new(
        config: LeafConfig,
        commands: mpsc::Receiver<LeafCommand>,
        driver: Option<Driver>,
    ) -> Self {
        let (event_sender, events) = mpsc::channel(EVENTS_MAX);
        let config = config.sensible();
        let LeafConfig { stale_time, routes_per_peer, max_routes, max_routes_per_vni, .. } = config;
        let limits = RouteLimits { all: max_routes, vni: max_routes_per_vni };
        let settings = CoreConfig { stale_time, routes_per_peer, limits };
        let mut leaf = Leaf::new(settings);
        if driver.is_none() {
            leaf.no_dataplane();
        }
        Self {
            config,
            clock: Clock::new(),
            leaf,
            peers: BTreeMap::new(),
            serials: 0,
            readers: Readers::default(),
            notices: Notices::default(),
            server: Server::None,
            commands,
            events,
            event_sender,
            driver,
            wanting: None,
            withholding: Vec::new(),
        }
    }

    /// Runs until the application asks for a shutdown or drops the last handle and watch.
    pub(in crate::client) async fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let asked = loop {
            let due = self.leaf.deadline().map(|moment| self.clock.instant(moment));
            let due = due.into_iter().chain(self.notices.due()).min();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(LeafCommand::Shutdown { reply }) => break Some(reply),
                    Some(command) => self.command(command),
                    None => break None,
                },
                _ = self.events.recv_many(&mut events, EVENTS_MAX) => {
                    events.drain(..).for_each(|event| self.event(event));
                }
                question = next_question(self.driver.as_mut()) => match question {
                    Some(question) => self.wanting = Some(question),
                    None => {
                        error!("the network client has failed: the leaf hands it no more routes");
                        self.driver = None;
                        self.leaf.no_dataplane();
                    }
                },
                () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)),
                    if due.is_some() => {}
            }
            self.leaf.tick(self.clock.now());
            self.serve();
        };
        // Later callers learn at once that the leaf has stopped.
        self.commands.close();
        let mut asked: Vec<_> = asked.into_iter().collect();
        while let Ok(command) = self.commands.try_recv() {
            if let LeafCommand::Shutdown { reply } = command {
                asked.push(reply);
            }
        }
        self.stop().await;
        asked.into_iter().for_each(|reply| answer(reply, ()));
    }

    /// Sends every waiting reader what is due for it.
    fn serve(&mut self) {
        let now = self.clock.now();
        for (slot, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.ready) {
            let messages = self.leaf.take_messages(now, *slot, MESSAGES_MAX);
            if !messages.is_empty() {
                let order = PeerOrder::Send { session: peer.session, messages };
                peer.ready = peer.orders.send(order).is_err();
            }
        }
        self.publish_sync();
        self.leaf.take_near_limits().iter().for_each(near_limit::say);
        notices::dropped(self.leaf.take_dropped());
        self.readers.serve(&mut self.leaf);
        self.withheld();
        if self.leaf.has_for_dataplane()
            && let Some(question) = self.wanting.take()
        {
            let (changes, complete) = self.leaf.take_for_dataplane(CHANGES_MAX);
            answer(question, Batch { changes, complete });
        }
    }

    fn publish_sync(&mut self) {
        let now = tokio::time::Instant::now();
        for (slot, vni, in_sync) in self.leaf.take_sync() {
            if let Some(peer) = self.peers.get(&slot) {
                self.readers.sync_changed(&peer.address, vni, in_sync);
                if let (routes, 1) = self.leaf.wholeness(vni)
                    && in_sync
                {
                    self.notices.table(now, vni, &peer.address, routes);
                }
            }
        }
        self.notices.end(now);
    }

    /// Answers `withhold` for each VNI without waiting changes: when the dataplane asks for more, it has made the
    /// changes that it took before.
    fn withheld(&mut self) {
        if self.driver.is_some() && self.wanting.is_none() {
            return;
        }
        let waiting = std::mem::take(&mut self.withholding);
        let (waiting, done): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(vni, _)| self.leaf.has_of(*vni));
        self.withholding = waiting;
        done.into_iter().for_each(|(_, reply)| answer(reply, ()));
    }

    fn event(&mut self, event: ActorEvent) {
        match event {
            ActorEvent::Peer { slot, serial, event } => {
                if self.peers.get(&slot).is_some_and(|peer| peer.serial == serial) {
                    self.peer_event(slot, event);
                }
            }
            ActorEvent::Server { result: Ok(reflector), reply } => {
                let address = reflector.listen_addr();
                self.server = Server::Running(reflector);
                answer(reply, Ok(address));
            }
            ActorEvent::Server { result: Err(error), reply } => {
                self.server = Server::None;
                answer(reply, Err(error.into()));
            }
        }
    }

    fn peer_event(&mut self, slot: ServerSlot, event: PeerEvent) {
        let now = self.clock.now();
        let Some(peer) = self.peers.get_mut(&slot) else { return };
        let at = Instant::now();
        let status = &mut peer.status;
        let before = status.state;
        match event {
            PeerEvent::State(state) => status.state = state,
            PeerEvent::Hello { hello, interval } => {
                status.keepalive_interval = Some(interval);
                let extensions = hello.extensions.unwrap_or_default();
                (status.agent, status.node) = (extensions.agent, extensions.node);
            }
            PeerEvent::KeepaliveSent => status.keepalive_sent = Some(at),
            PeerEvent::KeepaliveReceived => status.keepalive_received = Some(at),
            PeerEvent::Established { session, can, serving } => {
                status.state = PeerState::Established;
                status.sessions += 1;
                (peer.session, peer.ready) = (session, true);
                let end_of_table = can.contains(Capabilities::END_OF_TABLE);
                self.leaf.established(now, slot, end_of_table, serving);
                if can.contains(Capabilities::REPORT) {
                    self.leaf.reports_to(slot, spread());
                }
            }
            PeerEvent::Ready => {
                peer.ready = true;
                self.leaf.written(now, slot);
            }
            PeerEvent::Updates(updates) => {
                if let Err(TooManyRoutes(max)) = self.leaf.updates(now, slot, &updates) {
                    self.leaf.expel(now, slot);
                    peer.ready = false;
                    let (session, error) = (peer.session, SessionError::TooManyRoutes(max));
                    order(&peer.orders, PeerOrder::End { session, error });
                }
            }
            PeerEvent::Skipped(counts) => {
                for (reason, count) in counts {
                    *status.skipped.entry(reason).or_default() += count;
                }
            }
            PeerEvent::EndOfTable(vni) => self.leaf.end_of_table(now, slot, vni),
            PeerEvent::Ended(error) => {
                status.state = PeerState::Retry;
                status.last_error = Some(error);
                peer.ready = false;
                self.leaf.ended(now, slot);
            }
        }
        if status.state != before {
            status.since = at;
            self.readers.peer_changed(&peer.address, Some(status.clone()));
            if before == PeerState::Established {
                let address = peer.address.clone();
                self.note_lost(&address);
            }
        }
    }

    fn command(&mut self, command: LeafCommand) {
        let now = self.clock.now();
        match command {
            LeafCommand::AddPeer { address, local, reply } => {
                answer(reply, self.add_peer(address, local));
            }
            LeafCommand::RemovePeer { address, reply } => answer(reply, self.remove_peer(address)),
            LeafCommand::ResetPeer { address } => self.reset_peer(&address),
            LeafCommand::PeerStatus { address, reply } => {
                let status = self.find(&address).map(|(_, peer)| peer.status.clone());
                answer(reply, status.ok_or(Error::UnknownPeer(address)));
            }
            LeafCommand::Peers { reply } => answer(reply, self.peer_statuses()),
            LeafCommand::Subscribe { vni, reply } => {
                let done = self.leaf.subscribe(now, vni);
                answer(reply, done.then_some(()).ok_or(Error::AlreadySubscribed(vni)));
            }
            LeafCommand::Unsubscribe { vni, reply } => {
                let done = self.leaf.unsubscribe(vni);
                answer(reply, done.then_some(()).ok_or(Error::NotSubscribed(vni)));
            }
            LeafCommand::IsSubscribed { vni, reply } => answer(reply, self.leaf.is_subscribed(vni)),
            LeafCommand::SubscribedVnis { reply } => answer(reply, self.leaf.subscriptions()),
            LeafCommand::Announce { route, reply } => {
                let done = self.leaf.announce(route);
                answer(reply, done.then_some(()).ok_or(Error::AlreadyAnnounced(route)));
            }
            LeafCommand::Withdraw { route, reply } => {
                let done = self.leaf.withdraw(route);
                answer(reply, done.then_some(()).ok_or(Error::NotAnnounced(route)));
            }
            LeafCommand::Intend { changes, reply } => {
                self.leaf.intend(now, &changes);
                answer(reply, ());
            }
            LeafCommand::Alter { alteration, reply } => self.alter(alteration, reply),
            LeafCommand::Installed { rows, reply } => self.set_installed(rows, reply),
            LeafCommand::IsAnnounced { route, reply } => {
                answer(reply, self.leaf.is_announced(route));
            }
            LeafCommand::Announcements { vni, reply } => {
                answer(reply, self.leaf.announcements(vni));
            }
            LeafCommand::Routes { vni, reply } => answer(reply, self.leaf.routes(vni)),
            LeafCommand::VniStatuses { after, max, reply } => {
                answer(reply, self.vni_statuses(after, max));
            }
            LeafCommand::RouteStatuses { vni, what, after, max, reply } => {
                let rows = self.route_statuses(vni, what, after, max);
                answer(reply, rows.ok_or(Error::NotSubscribed(vni)));
            }
            LeafCommand::NetworkStatus { vni, destination, max, reply } => {
                answer(reply, self.network_status(vni, destination, max));
            }
            LeafCommand::NextHops { vni, destination, reply } => {
                answer(reply, self.leaf.next_hops(vni, destination));
            }
            LeafCommand::WatchRoutes { vni, waits, alive, reply } => {
                answer(reply, self.readers.routes(&mut self.leaf, vni, waits, alive));
            }
            LeafCommand::WatchPeers { alive, reply } => answer(reply, self.watch_peers(alive)),
            LeafCommand::WatchSync { alive, reply } => answer(reply, self.watch_sync(alive)),
            LeafCommand::PullRoutes { id, reply } => self.readers.pull_routes(id, reply),
            LeafCommand::PullPeers { id, reply } => self.readers.pull_peers(id, reply),
            LeafCommand::PullSync { id, reply } => self.readers.pull_sync(id, reply),
            LeafCommand::StartServer { start, reply } => self.start_server(start, reply),
            LeafCommand::Shutdown { reply } => answer(reply, ()), // taken by `run`
        }
    }

    fn set_installed(&mut self, rows: Vec<(Vni, Installed)>, reply: Reply<()>) {
        self.leaf.set_installed(self.clock.now(), rows);
        answer(reply, ());
    }

    /// Carries out a rare change of the leaf itself.
    fn alter(&mut self, alteration: Alteration, reply: Reply<()>) {
        match alteration {
            Alteration::Withhold(vni) => {
                self.leaf.withhold(vni);
                return self.withholding.push((vni, reply));
            }
            Alteration::HandOver(vni) => self.leaf.hand_over(vni),
            Alteration::Limits { max_routes, max_routes_per_vni } => {
                let limits = RouteLimits { all: max_routes, vni: max_routes_per_vni };
                self.leaf.set_limits(self.clock.now(), limits);
            }
        }
        answer(reply, ());
    }

    /// Begins a watch of servers with the state of every server.
    fn watch_peers(&mut self, alive: Weak<()>) -> WatchId {
        let all = self.peers.values();
        let all = all.map(|peer| (peer.address.clone(), Some(peer.status.clone())));
        self.readers.peers(all, alive)
    }

    /// Begins a watch of tables with every complete table.
    fn watch_sync(&mut self, alive: Weak<()>) -> WatchId {
        let all = self.leaf.in_sync().into_iter();
        let peers = &self.peers;
        let named = |(slot, vni)| Some(((peers.get(&slot)?.address.clone(), vni), true));
        self.readers.sync(all.filter_map(named), alive)
    }

    fn start_server(
        &mut self,
        start: StartServer,
        reply: Reply<Result<std::net::SocketAddr, Error>>,
    ) {
        if !matches!(self.server, Server::None) {
            return answer(reply, Err(Error::ServerRuns));
        }
        self.server = Server::Starting;
        let events = self.event_sender.clone();
        tokio::task::spawn_blocking(move || {
            let result = start.run();
            if let Err(lost) = events.blocking_send(ActorEvent::Server { result, reply })
                && let ActorEvent::Server { result: Ok(reflector), .. } = lost.0
            {
                reflector.stop();
            }
        });
    }

    async fn stop(mut self) {
        info!("leaf stops");
        let mut tasks = Vec::new();
        for peer in std::mem::take(&mut self.peers).into_values() {
            order(&peer.orders, PeerOrder::Stop);
            tasks.push(peer.task);
            let closed = PeerStatus { state: PeerState::Closed, ..peer.status };
            self.readers.peer_changed(&peer.address, Some(closed));
        }
        self.readers.serve(&mut self.leaf);
        for task in tasks {
            self.join(task).await;
        }
        // A server that starts only now is stopped by the task that starts it.
        self.events.close();
        while let Ok(event) = self.events.try_recv() {
            self.event(event);
        }
        drop(self.wanting);
        if let Some(driver) = self.driver {
            driver.stop().await;
        }
        if let Server::Running(reflector) = self.server
            && let Err(error) = tokio::task::spawn_blocking(|| reflector.stop()).await
        {
            warn!(%error, "the embedded server failed");
        }
    }

    /// Waits until a removed peer's task has ended. Takes its events all the same: a task that waits to hand over what
    /// its server sends could not send GOODBYE.
    async fn join(&mut self, mut task: JoinHandle<()>) {
        let ended = loop {
            tokio::select! {
                ended = &mut task => break ended,
                Some(event) = self.events.recv() => self.event(event),
            }
        };
        if let Err(error) = ended {
            warn!(%error, "a peer's task failed");
        }
    }
}

/// The send fails only if the peer task has ended: then it needs no orders.
fn order(orders: &mpsc::UnboundedSender<PeerOrder>, order: PeerOrder) {
    drop(orders.send(order));
}

/// The driver's next question; pending for ever without a driver.
async fn next_question(driver: Option<&mut Driver>) -> Option<oneshot::Sender<Batch>> {
    match driver {
        Some(driver) => driver.question().await,
        None => std::future::pending().await,
    }
}

/// A random delay of this leaf's reports: all leaves get the same changes at the same moment.
fn spread() -> Duration {
    // Each new state of the standard library's hasher has random keys.
    Duration::from_millis(RandomState::new().hash_one(0) % SPREAD)
}
