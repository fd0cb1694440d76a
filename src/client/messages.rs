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

/// The most commands that may wait for the actor.
pub(super) const COMMANDS_MAX: usize = 1024;
pub(super) const EVENTS_MAX: usize = 16;

/// Returns an operation's result to its caller.
pub(super) type Reply<T> = oneshot::Sender<T>;

/// Ignores a failed send: a caller may have stopped waiting.
pub(super) fn answer<T>(reply: Reply<T>, value: T) {
    drop(reply.send(value));
}

/// Commands from handles and watches; the queue holds [`COMMANDS_MAX`], and senders wait for room.
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
    /// Carries out the changes in order; skips those without effect.
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
    /// Answered in parts of `max` rows, so that no other command waits long.
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
    /// A watch ends when the other end of `alive` is dropped.
    WatchRoutes {
        vni: Option<Vni>,
        /// Whether the watch waits while the leaf is settling.
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
    /// Answered when there are changes; dropped at the leaf's end.
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

/// A rare change of the leaf itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alteration {
    /// The dataplane gives the routes of a VNI back. Answered when it has removed them.
    Withhold(Vni),
    /// The dataplane gets the routes of a VNI again.
    HandOver(Vni),
    /// The most routes; 0 means no limit.
    Limits { max_routes: usize, max_routes_per_vni: usize },
}

/// A change of the application's intent; no change if the intent is so already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intention {
    /// Subscribe to a VNI.
    Subscribe(Vni),
    /// Unsubscribe from a VNI.
    Unsubscribe(Vni),
    /// Announce a route.
    Announce(Route),
    /// Withdraw a route.
    Withdraw(Route),
    /// Withdraw all routes of a VNI.
    Vacate(Vni),
}

/// To the actor from the tasks it started; the queue holds [`EVENTS_MAX`], and senders wait for room in turn: they
/// read nothing from their servers meanwhile. The queue is short, because each event may hold a whole read: a server
/// that sends without pause delays the others by no more than these.
#[derive(Debug)]
pub(super) enum ActorEvent {
    /// `serial` distinguishes the peer task from earlier ones in the same slot.
    Peer { slot: ServerSlot, serial: u64, event: PeerEvent },
    /// The embedded server runs, or cannot start.
    Server { result: StartedServer, reply: Reply<Result<SocketAddr, Error>> },
}

/// Reports of a peer task, in order.
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
        /// The capabilities of the server.
        can: Capabilities,
        /// How long the server has had sessions, if it says so; else zero.
        serving: std::time::Duration,
    },
    /// The last order has been written.
    Ready,
    Updates(Vec<Update>),
    EndOfTable(Vni),
    /// Numbers of skipped messages, by reason.
    Skipped(BTreeMap<&'static str, u64>),
    /// The session, or the attempt at one, has ended.
    Ended(SessionError),
}

/// Orders to a peer task. Unbounded, but at most one `Send` of the actor is under way.
#[derive(Debug)]
pub(super) enum PeerOrder {
    /// Dropped when `session` is over.
    Send { session: u64, messages: Vec<Message> },
    /// End the session and connect anew at once.
    Reset,
    /// End this session; connect anew after a pause.
    End { session: u64, error: SessionError },
    /// End the task.
    Stop,
}
