//! [`MetalBond`], the handle of a leaf that applications hold. Each method sends one message to the actor and returns
//! the reply.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use tokio::sync::{mpsc, oneshot};

use super::actor::Actor;
use super::core::WatchId;
use super::dataplane::Driver;
#[cfg(feature = "server")]
use super::embedded::{self, StartServer};
use super::messages::{Alteration, COMMANDS_MAX, Intention, LeafCommand, Reply};
use super::watch::{PeerWatch, RouteWatch, SyncWatch};
use super::{
    Error, LeafConfig, NetworkClient, NetworkStatus, PeerStatus, Route, RouteStatus, VniStatus,
};
use crate::wire::{Destination, Installed, Lookup, NextHop, Vni};

/// The most rows that the actor returns for one question.
const ROWS_MAX: usize = 4096;

/// A leaf: cheap to clone, and to send to other threads.
///
/// All operations are messages to one task, which carries them out one after the other. Subscriptions
/// and announcements are *intent*: they do not depend on the servers that exist at the moment. The leaf
/// sends them to each server as soon as there is a session with it, and again in each further session.
/// So no operation waits for a server, or fails because a server is down.
///
/// If you drop an operation's future, the operation may or may not be carried out. Once the leaf is
/// shut down, every operation fails with [`Error::Stopped`]. The leaf also ends when the last
/// handle and the last watch are dropped.
#[derive(Clone, Debug)]
pub struct MetalBond {
    commands: mpsc::Sender<LeafCommand>,
}

impl MetalBond {
    /// Starts a leaf without a dataplane: the application watches its routes or asks for them.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
    #[must_use]
    pub fn start(config: LeafConfig) -> Self {
        Self::spawn(config, None)
    }

    /// Starts a leaf that hands its routes to `client`.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
    #[must_use]
    pub fn with_network_client(config: LeafConfig, client: impl NetworkClient) -> Self {
        Self::spawn(config, Some(Driver::start(client)))
    }

    fn spawn(config: LeafConfig, driver: Option<Driver>) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(Actor::new(config, receiver, driver).run());
        Self { commands }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> LeafCommand) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)
    }

    // Peers.

    /// Adds a server, `HOST:PORT` (an IPv6 address in brackets), and keeps a session with it from
    /// now on. The name is resolved at each attempt to connect. `local` is the address to connect from;
    /// with `None` the system chooses it. Returns before there is a session.
    ///
    /// # Errors
    /// [`Error::PeerAddress`], [`Error::PeerExists`] or [`Error::TooManyPeers`] (64).
    pub async fn add_peer(
        &self,
        address: impl Into<String>,
        local: Option<IpAddr>,
    ) -> Result<(), Error> {
        let address = address.into();
        self.ask(|reply| LeafCommand::AddPeer { address, local, reply }).await?
    }

    /// Ends the session with a server and forgets the server. Routes that only this server had are
    /// removed as if it had died: at once if another server is in sync, else after
    /// [`LeafConfig::stale_time`].
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub async fn remove_peer(&self, address: impl Into<String>) -> Result<(), Error> {
        let address = address.into();
        self.ask(|reply| LeafCommand::RemovePeer { address, reply }).await?
    }

    /// Ends the session with a server, or the pause before the next attempt, and connects at once.
    /// This is a hint: the caller does not learn whether there is such a peer, and the call is dropped
    /// while 1024 operations wait.
    pub fn reset_peer(&self, address: impl Into<String>) {
        drop(self.commands.try_send(LeafCommand::ResetPeer { address: address.into() }));
    }

    /// The state of a server: its session, its last keepalives, its last error.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub async fn peer_state(&self, address: impl Into<String>) -> Result<PeerStatus, Error> {
        let address = address.into();
        self.ask(|reply| LeafCommand::PeerStatus { address, reply }).await?
    }

    /// All servers, each with its address as it was added.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn peers(&self) -> Result<Vec<(String, PeerStatus)>, Error> {
        self.ask(|reply| LeafCommand::Peers { reply }).await
    }

    // Subscriptions.

    /// Subscribes to the routes of a VNI.
    ///
    /// # Errors
    /// [`Error::AlreadySubscribed`].
    pub async fn subscribe(&self, vni: Vni) -> Result<(), Error> {
        self.ask(|reply| LeafCommand::Subscribe { vni, reply }).await?
    }

    /// Ends the subscription; the learned routes of the VNI are removed at once. The leaf's own
    /// announcements in the VNI stay: servers withdraw them at an UNSUBSCRIBE, so the leaf sends them again.
    ///
    /// # Errors
    /// [`Error::NotSubscribed`].
    pub async fn unsubscribe(&self, vni: Vni) -> Result<(), Error> {
        self.ask(|reply| LeafCommand::Unsubscribe { vni, reply }).await?
    }

    /// Whether the leaf is subscribed to a VNI.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn is_subscribed(&self, vni: Vni) -> Result<bool, Error> {
        self.ask(|reply| LeafCommand::IsSubscribed { vni, reply }).await
    }

    /// The VNIs that the leaf is subscribed to, in ascending order.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn subscribed_vnis(&self) -> Result<Vec<Vni>, Error> {
        self.ask(|reply| LeafCommand::SubscribedVnis { reply }).await
    }

    // Announcements.

    /// Announces a route: `destination` in `vni` is reached here, at `next_hop`.
    ///
    /// # Errors
    /// [`Error::AlreadyAnnounced`].
    pub async fn announce_route(
        &self,
        vni: Vni,
        destination: Destination,
        next_hop: NextHop,
    ) -> Result<(), Error> {
        let route = Route { vni, destination, next_hop };
        self.ask(|reply| LeafCommand::Announce { route, reply }).await?
    }

    /// Withdraws an announced route.
    ///
    /// # Errors
    /// [`Error::NotAnnounced`].
    pub async fn withdraw_route(
        &self,
        vni: Vni,
        destination: Destination,
        next_hop: NextHop,
    ) -> Result<(), Error> {
        let route = Route { vni, destination, next_hop };
        self.ask(|reply| LeafCommand::Withdraw { route, reply }).await?
    }

    /// Withdraws routes and announces others in one step, as when a destination gets another next hop: servers get both
    /// changes together, and the destination counts as announced throughout. Skips what is so already.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn change_announcements(
        &self,
        withdrawn: impl IntoIterator<Item = Route>,
        announced: impl IntoIterator<Item = Route>,
    ) -> Result<(), Error> {
        // Announcements first, so that no destination is without one in between.
        let announced = announced.into_iter().map(Intention::Announce);
        let withdrawn = withdrawn.into_iter().map(Intention::Withdraw);
        self.intend(announced.chain(withdrawn).collect()).await
    }

    /// Carries out many changes of subscriptions and announcements in one step.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(crate) async fn intend(&self, changes: Vec<Intention>) -> Result<(), Error> {
        self.ask(|reply| LeafCommand::Intend { changes, reply }).await
    }

    /// Whether this leaf announces a route.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn is_route_announced(
        &self,
        vni: Vni,
        destination: Destination,
        next_hop: NextHop,
    ) -> Result<bool, Error> {
        let route = Route { vni, destination, next_hop };
        self.ask(|reply| LeafCommand::IsAnnounced { route, reply }).await
    }

    /// The routes that this leaf announces in a VNI, in order of destination and next hop.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn announcements(&self, vni: Vni) -> Result<Vec<Route>, Error> {
        self.ask(|reply| LeafCommand::Announcements { vni, reply }).await
    }

    // Changes of the leaf's settings while it runs.

    /// Sets [`LeafConfig::max_routes`] and [`LeafConfig::max_routes_per_vni`]; 0 means no limit. Routes that the leaf
    /// has stay, even if they are more than the new limit. Routes that were refused and now have room come in within
    /// about a second.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn set_limits(
        &self,
        max_routes: usize,
        max_routes_per_vni: usize,
    ) -> Result<(), Error> {
        self.alter(Alteration::Limits { max_routes, max_routes_per_vni }).await
    }

    /// Removes the routes of a VNI from the network client, and hands over none of the VNI until [`Self::hand_over`].
    /// Subscriptions, sessions and watches do not change. Returns when the client has made the removals: then the
    /// application may move the VNI to another table, as `NetlinkTables::set` does. Does nothing without a network
    /// client.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn withhold(&self, vni: Vni) -> Result<(), Error> {
        self.alter(Alteration::Withhold(vni)).await
    }

    /// Ends [`Self::withhold`]: hands all routes of the VNI to the network client, and then its changes. When all
    /// routes of the VNI are known, [`NetworkClient::complete`] is called again. Does nothing for a VNI that is not
    /// withheld.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn hand_over(&self, vni: Vni) -> Result<(), Error> {
        self.alter(Alteration::HandOver(vni)).await
    }

    async fn alter(&self, alteration: Alteration) -> Result<(), Error> {
        self.ask(|reply| LeafCommand::Alter { alteration, reply }).await
    }

    /// Says how many routes of each VNI the dataplane has. The leaf reports these numbers within about a second to the
    /// servers that advertise REPORT. A VNI that is not among `rows` counts as a VNI without a dataplane.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn set_installed(&self, rows: Vec<(Vni, Installed)>) -> Result<(), Error> {
        self.ask(|reply| LeafCommand::Installed { rows, reply }).await
    }

    // Learned routes.

    /// The learned routes of a VNI, in order of destination and next hop, stale routes included: each route once,
    /// however many servers have it.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn routes(&self, vni: Vni) -> Result<Vec<Route>, Error> {
        self.ask(|reply| LeafCommand::Routes { vni, reply }).await
    }

    /// The learned next hops of one destination, in order; none if the destination is not known.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn next_hops(
        &self,
        vni: Vni,
        destination: Destination,
    ) -> Result<Vec<NextHop>, Error> {
        self.ask(|reply| LeafCommand::NextHops { vni, destination, reply }).await
    }

    // States, in parts: a query row by row delays no other operation.

    /// The states of subscribed VNIs in ascending order: from the first, or from the one after a given VNI. At most
    /// `max` of them, and at most 4096.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn vni_statuses(
        &self,
        after: Option<Vni>,
        max: usize,
    ) -> Result<Vec<VniStatus>, Error> {
        let max = max.min(ROWS_MAX);
        self.ask(|reply| LeafCommand::VniStatuses { after, max, reply }).await
    }

    /// Routes of a VNI and the servers that have them, in order of destination and next hop: all of them, or those
    /// that a [`Lookup`] finds; from the first, or from the one after a given route. At most `max` of them, and
    /// at most 4096. A longest match ignores the host bits of prefixes.
    ///
    /// # Errors
    /// [`Error::NotSubscribed`].
    pub async fn route_statuses(
        &self,
        vni: Vni,
        what: Option<Lookup>,
        after: Option<Route>,
        max: usize,
    ) -> Result<Vec<RouteStatus>, Error> {
        let max = max.min(ROWS_MAX);
        self.ask(|reply| LeafCommand::RouteStatuses { vni, what, after, max, reply }).await?
    }

    /// The routes of a VNI to one network, and those that a limit keeps out. At most 4096 of each.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn network_status(
        &self,
        vni: Vni,
        destination: Destination,
    ) -> Result<NetworkStatus, Error> {
        let max = ROWS_MAX;
        self.ask(|reply| LeafCommand::NetworkStatus { vni, destination, max, reply }).await
    }

    // Watches.

    /// Watches the routes of one VNI, or of all subscribed VNIs.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn watch_routes(&self, vni: Option<Vni>) -> Result<RouteWatch, Error> {
        self.watch_routes_if(vni, false).await
    }

    /// Watches the routes of all VNIs, for a consumer that deletes by destination and ignores the next hop. If a server
    /// comes back while there are stale routes, the watch is silent until the server's tables are complete, at most
    /// 5 s. So one batch holds both the removal of a stale next hop and, behind it, the next hop that takes its place.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub(crate) async fn watch_settled_routes(&self) -> Result<RouteWatch, Error> {
        self.watch_routes_if(None, true).await
    }

    async fn watch_routes_if(&self, vni: Option<Vni>, waits: bool) -> Result<RouteWatch, Error> {
        let watch = |alive, reply| LeafCommand::WatchRoutes { vni, waits, alive, reply };
        self.watch(watch, RouteWatch::new).await
    }

    /// Watches the states of all servers, including servers that are added later.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn watch_peers(&self) -> Result<PeerWatch, Error> {
        self.watch(|alive, reply| LeafCommand::WatchPeers { alive, reply }, PeerWatch::new).await
    }

    /// Watches which server's table of which VNI is complete.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn watch_sync(&self) -> Result<SyncWatch, Error> {
        self.watch(|alive, reply| LeafCommand::WatchSync { alive, reply }, SyncWatch::new).await
    }

    async fn watch<W>(
        &self,
        command: impl FnOnce(Weak<()>, Reply<WatchId>) -> LeafCommand,
        new: impl FnOnce(WatchId, mpsc::Sender<LeafCommand>, Arc<()>) -> W,
    ) -> Result<W, Error> {
        let alive = Arc::new(());
        let id = self.ask(|reply| command(Arc::downgrade(&alive), reply)).await?;
        Ok(new(id, self.commands.clone(), alive))
    }

    // Embedded reflector and shutdown.

    /// Runs a reflector in this process until the leaf ends, and returns the address on which it listens. The
    /// reflector has threads of its own. This leaf has no session with it unless you add it by [`Self::add_peer`].
    ///
    /// # Errors
    /// [`Error::ServerRuns`], or [`Error::Server`] with what
    /// [`Reflector::start`](crate::reflector::Reflector::start) says.
    #[cfg(feature = "server")]
    pub async fn start_server(
        &self,
        config: embedded::ReflectorConfig,
    ) -> Result<SocketAddr, Error> {
        let start = StartServer::reflector(config);
        self.ask(|reply| LeafCommand::StartServer { start, reply }).await?
    }

    /// Ends all sessions, then the network client, then an embedded reflector, and waits for them: at most 10 s for a
    /// call of the network client that is under way, and then at most 60 s for its `stop`. Later operations fail.
    /// Does nothing on a leaf that has ended.
    pub async fn shutdown(&self) {
        // The error `Stopped` means that the leaf has ended, as asked.
        drop(self.ask(|reply| LeafCommand::Shutdown { reply }).await);
    }
}
