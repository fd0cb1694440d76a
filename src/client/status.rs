//! States of servers, VNIs and routes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::{Route, SessionError};
use crate::wire::Vni;

/// The state of a server's session. The names are those of the reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerState {
    /// The connection is being made.
    Connecting,
    /// Connected; the leaf has sent its HELLO.
    HelloSent,
    /// The server's HELLO has arrived; the leaf has sent its KEEPALIVE.
    HelloReceived,
    /// The server's KEEPALIVE has arrived; the leaf sends its subscriptions and announcements and receives routes.
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

/// The state of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// The state of its session.
    pub state: PeerState,
    /// When the session entered this state.
    pub since: Instant,
    /// The keepalive interval that both sides use; `None` before the server's HELLO.
    pub keepalive_interval: Option<Duration>,
    /// When the last KEEPALIVE was sent, in this session or an earlier one.
    pub keepalive_sent: Option<Instant>,
    /// When the last KEEPALIVE arrived, in this session or an earlier one.
    pub keepalive_received: Option<Instant>,
    /// The server's software, from its HELLO; empty if the HELLO does not name it.
    pub agent: String,
    /// The server's host name, from its HELLO; empty if the HELLO does not name it.
    pub node: String,
    /// Why the last session, or the last attempt at one, ended.
    pub last_error: Option<SessionError>,
    /// The number of sessions that became established so far.
    pub sessions: u64,
    /// The number of messages from the server that were skipped as invalid, over all sessions, by a short
    /// name of the reason.
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

/// The state of a subscribed VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VniStatus {
    /// The VNI.
    pub vni: Vni,
    /// The number of known routes, stale ones included.
    pub routes: usize,
    /// The number of stale routes: no server has them now, and the leaf keeps them for a while.
    pub stale: usize,
    /// The number of routes that servers announce and for which [`max_routes`](super::LeafConfig::max_routes) or
    /// [`max_routes_per_vni`](super::LeafConfig::max_routes_per_vni) leaves no room.
    pub refused: usize,
    /// The servers whose table of this VNI is complete, by their addresses as they were added.
    pub in_sync: Vec<String>,
}

/// A known route, and the servers that have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteStatus {
    /// The route.
    pub route: Route,
    /// The servers that have it, by their addresses as they were added; empty if it is stale.
    pub servers: Vec<String>,
    /// Since when the leaf has known it without interruption.
    pub since: Instant,
    /// Since when no server has it; `None` if a server has it.
    pub stale_since: Option<Instant>,
}

/// The state of one network of a VNI. A dataplane has one route for a network.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NetworkStatus {
    /// Whether the VNI is subscribed to.
    pub is_subscribed: bool,
    /// Whether this leaf announces it: then its dataplane gets no STANDARD next hop that others announce.
    pub is_own: bool,
    /// The known routes to the network, with any host bits.
    pub routes: Vec<RouteStatus>,
    /// The routes that servers announce and that a limit keeps out, each with the servers that have it.
    pub refused: Vec<(Route, Vec<String>)>,
    /// The number of further routes of the VNI that the limit keeps out and that are only counted. Routes to this
    /// network may be among them.
    pub forgotten: usize,
}
