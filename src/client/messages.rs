//! The messages between the tasks of a leaf.
//!
//! ```text
//!   application --Command--> actor --Order--> peer task (one per server)
//!                              ^                 |
//!                              +-----Event-------+
//!   watches, dataplane driver --pull--> actor, which answers when there is something
//! ```
//!
//! The actor waits for no other task. Changes for a reader wait in the reader's feed, where opposite changes cancel
//! out, until the reader asks. A peer task asks by [`PeerEvent::Ready`], and has at most one batch. So no queue here
//! grows with the load, however slow a reader is.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Weak;

use tokio::sync::oneshot;

use super::changes::{PeerChange, RouteBatch, SyncChange};
use super::core::{ServerSlot, WatchId};
use super::embedded::{StartServer, StartedServer};
use super::{
    Error, NetworkStatus, PeerState, PeerStatus, Route, RouteStatus, SessionError, VniStatus,
};
use crate::wire::{
    Capabilities, Destination, Hello, Installed, Lookup, Message, NextHop, Update, Vni,
};

/// Commands, and events, that may wait for the actor.
pub(super) const COMMANDS_MAX: usize = 1024;
pub(super) const EVENTS_MAX: usize = 16;

/// How an operation's result comes back. A caller that no longer waits is no error.
pub(super) type Reply<T> = oneshot::Sender<T>;

/// A caller may have ceased to wait; that is its right.
pub(super) fn answer<T>(reply: Reply<T>, value: T) {
    drop(reply.send(value));
}

/// From handles and watches; bounded at [`COMMANDS_MAX`] with the senders waiting.
#[derive(Debug)]
pub(super) enum LeafCommand {
    AddPeer {
        address: String,
        local: Option<IpAddr>,
        reply: Reply<Result<(), Error>>,
    },
    RemovePeer {
        address: String,
        reply: Reply<Result<(), Error>>,
    },
    ResetPeer {
        address: String,
    },
    PeerStatus {
        address: String,
        reply: Reply<Result<PeerStatus, Error>>,
    },
    Peers {
        reply: Reply<Vec<(String, PeerStatus)>>,
    },
    Subscribe {
        vni: Vni,
        reply: Reply<Result<(), Error>>,
    },
    Unsubscribe {
        vni: Vni,
        reply: Reply<Result<(), Error>>,
    },
    IsSubscribed {
        vni: Vni,
        reply: Reply<bool>,
    },
    SubscribedVnis {
        reply: Reply<Vec<Vni>>,
    },
    Announce {
        route: Route,
        reply: Reply<Result<(), Error>>,
    },
    Withdraw {
        route: Route,
        reply: Reply<Result<(), Error>>,
    },
    /// Carries out what has not been carried out yet, in order.
    Intend {
        changes: Vec<Intention>,
        reply: Reply<()>,
    },
    Alter {
        alteration: Alteration,
        reply: Reply<()>,
    },
    /// How many routes of each VNI the dataplane has.
    Installed {
        rows: Vec<(Vni, Installed)>,
        reply: Reply<()>,
    },
    IsAnnounced {
        route: Route,
        reply: Reply<bool>,
    },
    Announcements {
        vni: Vni,
        reply: Reply<Vec<Route>>,
    },
    Routes {
        vni: Vni,
        reply: Reply<Vec<Route>>,
    },
    /// Answered in parts of `max` rows, so that nobody waits long for the actor.
    VniStatuses {
        after: Option<Vni>,
        max: usize,
        reply: Reply<Vec<VniStatus>>,
    },
    RouteStatuses {
        vni: Vni,
        what: Option<Lookup>,
        after: Option<Route>,
        max: usize,
        reply: Reply<Result<Vec<RouteStatus>, Error>>,
    },
    NetworkStatus {
        vni: Vni,
        destination: Destination,
        max: usize,
        reply: Reply<NetworkStatus>,
    },
    NextHops {
        vni: Vni,
        destination: Destination,
        reply: Reply<Vec<NextHop>>,
    },
    /// Watches end with the other end of `alive`.
    WatchRoutes {
        vni: Option<Vni>,
        /// Whether it waits while the leaf is settling.
        waits: bool,
        alive: Weak<()>,
        reply: Reply<WatchId>,
    },
    WatchPeers {
        alive: Weak<()>,
        reply: Reply<WatchId>,
    },
    WatchSync {
        alive: Weak<()>,
        reply: Reply<WatchId>,
    },
    /// Answered when there is something, and at the leaf's end dropped.
    PullRoutes {
        id: WatchId,
        reply: Reply<RouteBatch>,
    },
    PullPeers {
        id: WatchId,
        reply: Reply<Vec<PeerChange>>,
    },
    PullSync {
        id: WatchId,
        reply: Reply<Vec<SyncChange>>,
    },
    StartServer {
        start: StartServer,
        reply: Reply<Result<SocketAddr, Error>>,
    },
    Shutdown {
        reply: Reply<()>,
    },
}

/// A change of what stays as it is in most leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alteration {
    /// The dataplane gives the routes of a VNI back. Answered when it has made the removals.
    Withhold(Vni),
    /// It gets them.
    HandOver(Vni),
    /// How many routes there may be; 0 is any number.
    Limits { max_routes: usize, max_routes_per_vni: usize },
}

/// A change of what the application wants; nothing, where it wants just that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intention {
    /// The routes of a VNI are wanted.
    Subscribe(Vni),
    /// They are not.
    Unsubscribe(Vni),
    /// A route is announced.
    Announce(Route),
    /// It is not.
    Withdraw(Route),
    /// No route of a VNI is announced.
    Vacate(Vni),
}

/// To the actor from what it started; bounded at [`EVENTS_MAX`] with the senders waiting, in turn,
/// who then read nothing from their servers. Few, because each may hold a whole read: a server that
/// sends without pause holds up the others by no more than these.
#[derive(Debug)]
pub(super) enum ActorEvent {
    /// `serial` tells the peer task from earlier ones in the same slot.
    Peer { slot: ServerSlot, serial: u64, event: PeerEvent },
    /// The embedded server runs, or can't.
    Server { result: StartedServer, reply: Reply<Result<SocketAddr, Error>> },
}

/// What a peer task tells, in order.
#[derive(Debug)]
pub(super) enum PeerEvent {
    /// [`PeerState::Established`] and [`PeerState::Retry`] come by the variants below.
    State(PeerState),
    Hello {
        hello: Hello,
        interval: std::time::Duration,
    },
    KeepaliveSent,
    KeepaliveReceived,
    /// Intent can be sent; `session` numbers this peer's sessions.
    Established {
        session: u64,
        /// What the server understands.
        can: Capabilities,
        /// For how long the server has had sessions, if it says so; else zero.
        serving: std::time::Duration,
    },
    /// What was ordered has been written.
    Ready,
    Updates(Vec<Update>),
    EndOfTable(Vni),
    /// So many messages were skipped, by reason.
    Skipped(BTreeMap<&'static str, u64>),
    /// The session, or the attempt at one, is over.
    Ended(SessionError),
}

/// To a peer task. Unbounded, but the actor has one `Send` under way at most.
#[derive(Debug)]
pub(super) enum PeerOrder {
    /// Dropped when `session` is over.
    Send { session: u64, messages: Vec<Message> },
    /// End the session and connect anew at once.
    Reset,
    /// End this session; connect anew after a pause.
    End { session: u64, error: SessionError },
    /// End.
    Stop,
}
