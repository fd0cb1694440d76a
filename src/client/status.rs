//! What can be asked about a peer, a VNI and a route.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Route, SessionError};
use crate::wire::Vni;

/// How far a peer's session is. Names as the reference has them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerState {
    /// The connection is being made.
    Connecting,
    /// Connected; our HELLO is on its way.
    HelloSent,
    /// The server's HELLO has come, our KEEPALIVE is on its way.
    HelloReceived,
    /// The server's KEEPALIVE has come; intent is sent, routes are received.
    Established,
    /// The session has ended; the next attempt comes after a pause.
    Retry,
    /// The peer was removed, or the leaf shut down.
    Closed,
}

impl fmt::Display for PeerState {
    /// As the reference prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "CONNECTING",
            Self::HelloSent => "HELLO_SENT",
            Self::HelloReceived => "HELLO_RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::Retry => "RETRY",
            Self::Closed => "CLOSED",
        })
    }
}

/// A peer as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// How far its session is.
    pub state: PeerState,
    /// Since when.
    pub since: Instant,
    /// The interval in force, once the server has said its own.
    pub keepalive_interval: Option<Duration>,
    /// When a KEEPALIVE was sent last, in this session or an earlier one.
    pub keepalive_sent: Option<Instant>,
    /// When a KEEPALIVE came last, in this session or an earlier one.
    pub keepalive_received: Option<Instant>,
    /// The server's software, if it says so.
    pub agent: String,
    /// The server's host name, if it says so.
    pub node: String,
    /// Why the last session, or attempt at one, ended.
    pub last_error: Option<SessionError>,
    /// Sessions that became established so far.
    pub sessions: u64,
    /// Messages of the server's that make no sense and were skipped, over all sessions, by a short name
    /// of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl PeerStatus {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: PeerState::Connecting,
            since: now,
            keepalive_interval: None,
            keepalive_sent: None,
            keepalive_received: None,
            agent: String::new(),
            node: String::new(),
            last_error: None,
            sessions: 0,
            skipped: BTreeMap::new(),
        }
    }
}

/// A VNI that is subscribed to, as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VniStatus {
    /// Which one.
    pub vni: Vni,
    /// Routes that are known, stale ones included.
    pub routes: usize,
    /// Those that no server has now, and that are kept for a while.
    pub stale: usize,
    /// Routes that servers announce and that there is no room for: [`max_routes`](super::LeafConfig::max_routes) and
    /// [`max_routes_per_vni`](super::LeafConfig::max_routes_per_vni).
    pub refused: usize,
    /// Servers whose table of it is here whole, as they were added.
    pub in_sync: Vec<String>,
}

/// A route that is known, and where from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteStatus {
    /// Which one.
    pub route: Route,
    /// Servers that have it, as they were added; none when it is stale.
    pub servers: Vec<String>,
    /// Since when it is known, without a break.
    pub since: Instant,
    /// Since when no server has it, if none has.
    pub stale_since: Option<Instant>,
}

/// A network of a VNI, which is what a dataplane has one route for, as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NetworkStatus {
    /// Whether the VNI is subscribed to.
    pub is_subscribed: bool,
    /// Whether this leaf announces it: then no standard next hop of others is for its dataplane.
    pub is_own: bool,
    /// The routes that are known, whatever their host bits.
    pub routes: Vec<RouteStatus>,
    /// Routes that servers announce and that a limit keeps out: each with the servers that have it.
    pub refused: Vec<(Route, Vec<String>)>,
    /// How many more routes of the VNI the limit keeps out that are only counted: these may be among them.
    pub forgotten: usize,
}
