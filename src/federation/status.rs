//! What operators see of federation.

use serde::Serialize;

/// The state of another site.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// Its name is known, but no heartbeat of it has arrived.
    Unheard,
    /// Its heartbeats arrive.
    Live,
    /// Its heartbeats arrive, but its process is so new that some of its clients may not be back yet: the routes of its
    /// earlier process are kept as well.
    Warming,
    /// It has said that it is about to end: its routes are kept for a while.
    Draining,
    /// It is silent: its routes are kept for a while.
    Stale,
    /// It has more routes than it may have here: no changes are accepted from it for a while.
    AboveLimit,
    /// It has been away for too long: its routes are withdrawn.
    Gone,
}

impl SiteState {
    /// All states, with their names.
    pub(super) const ALL: [(Self, &str); 7] = [
        (Self::Unheard, "unheard"),
        (Self::Live, "live"),
        (Self::Warming, "warming"),
        (Self::Draining, "draining"),
        (Self::Stale, "stale"),
        (Self::AboveLimit, "above_limit"),
        (Self::Gone, "gone"),
    ];
}

/// The state and the counters of another site, for operators.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SiteStatus {
    /// Its name.
    pub site: String,
    /// The state of the site.
    pub state: SiteState,
    /// Seconds since the last message of it; `None` before the first.
    pub heard_seconds: Option<f64>,
    /// The number of its routes here.
    pub routes: u64,
    /// The number of VNIs that clients here want and in which all of the site's routes are here.
    pub vnis_in_sync: u64,
    /// How old its latest change was when it arrived, in seconds by the clocks of both sites.
    pub lag_seconds: f64,
    /// The name and version of its program.
    pub agent: String,
    /// The number of seconds for which its process has run.
    pub uptime_seconds: f64,
    /// The number of changes of routes received from it.
    pub changes_received: u64,
    /// The number of snapshots of a VNI that arrived completely.
    pub snapshots: u64,
    /// The number of snapshots that failed.
    pub snapshots_failed: u64,
    /// The number of gaps in its messages about a VNI; after each, this site asked for the VNI anew.
    pub gaps: u64,
    /// The number of times that digests differed although no message was lost.
    pub mismatches: u64,
    /// The number of its messages that could not be read.
    pub unreadable: u64,
    /// The number of times that it became stale.
    pub stale: u64,
}

/// The state and the counters of federation, for operators.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct FederationStatus {
    /// The name of this site.
    pub site: String,
    /// Whether there is a connection to the engine (the message bus).
    pub is_connected: bool,
    /// The name of the engine's server; empty before the first connection.
    pub server: String,
    /// The version of the engine's server.
    pub server_version: String,
    /// The address of the engine's server.
    pub server_address: String,
    /// The time that the engine's server takes to answer, in seconds.
    pub round_trip_seconds: Option<f64>,
    /// The number of connections to the engine so far.
    pub connections: u64,
    /// Why there is no connection, or what the server refused last.
    pub error: Option<String>,
    /// Whether this site tells other sites that it is about to end.
    pub is_draining: bool,
    /// Whether this process is silent because another process used the name of this site first; `None` if no other
    /// process uses the name.
    pub twin: Option<bool>,
    /// The number of VNIs that clients here want.
    pub vnis_wanted: u64,
    /// The number of VNIs that other sites want.
    pub vnis_exported: u64,
    /// The number of VNIs whose changes wait for the engine.
    pub vnis_behind: u64,
    /// The number of VNIs for which this site waits for a snapshot.
    pub snapshots_awaited: u64,
    /// The number of snapshots of a VNI sent.
    pub snapshots_sent: u64,
    /// The number of changes of routes sent.
    pub changes_sent: u64,
    /// The number of messages sent.
    pub messages_sent: u64,
    /// The number of messages received.
    pub messages_received: u64,
    /// The number of messages of a kind or version that this program does not know.
    pub messages_unknown: u64,
    /// The number of messages that wait for the engine.
    pub queued_messages: u64,
    /// The number of bytes that wait for the engine.
    pub queued_bytes: u64,
    /// The number of times that the engine was too slow for the changes of a VNI.
    pub fell_behind: u64,
    /// The number of times that messages to this site were lost because this reflector or the engine's server was too
    /// slow.
    pub overflows: u64,
    /// The other sites, in the order in which this site first heard of them.
    pub sites: Vec<SiteStatus>,
}
