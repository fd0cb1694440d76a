//! What operators see of federation.

use serde::Serialize;

/// How another site is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteState {
    /// Its name is known, and no heartbeat has come.
    Unheard,
    /// It is there.
    Live,
    /// It is there, and its process is so new that some of its clients may not be back: what its earlier
    /// process announced is kept beside.
    Warming,
    /// It says that it is about to end: its routes are kept for a while.
    Draining,
    /// It is silent: its routes are kept for a while.
    Stale,
    /// It has more routes than it may have here: nothing is taken from it for a while.
    AboveLimit,
    /// It has been away for too long: its routes are withdrawn.
    Gone,
}

impl SiteState {
    /// All of them, with their names.
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

/// What operators see of another site.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SiteStatus {
    /// Its name.
    pub site: String,
    /// How it is.
    pub state: SiteState,
    /// Seconds since anything of it was heard; none before that.
    pub heard_seconds: Option<f64>,
    /// Routes of it here.
    pub routes: u64,
    /// VNIs that clients here want and that are as the site has them.
    pub vnis_in_sync: u64,
    /// How old its latest change was when it came here, by both clocks.
    pub lag_seconds: f64,
    /// Name and version of its program.
    pub agent: String,
    /// For how long its process has run.
    pub uptime_seconds: f64,
    /// Changes of routes that were taken in.
    pub changes_received: u64,
    /// Snapshots of a VNI that came whole.
    pub snapshots: u64,
    /// Snapshots that came to nothing.
    pub snapshots_failed: u64,
    /// Gaps in its messages about a VNI: after each, the VNI was asked for anew.
    pub gaps: u64,
    /// Digests that differed although nothing was lost.
    pub mismatches: u64,
    /// Messages that could not be read.
    pub unreadable: u64,
    /// Times at which it became stale.
    pub stale: u64,
}

/// What operators see of federation.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct FederationStatus {
    /// The name of this site.
    pub site: String,
    /// Whether the engine can be reached.
    pub is_connected: bool,
    /// The engine's server: its name, version and address; empty before the first connection.
    pub server: String,
    /// Its version.
    pub server_version: String,
    /// Its address.
    pub server_address: String,
    /// How long it takes to answer.
    pub round_trip_seconds: Option<f64>,
    /// Connections so far.
    pub connections: u64,
    /// Why there is none, or what the server refused last.
    pub error: Option<String>,
    /// Whether other sites are told that this one is about to end.
    pub is_draining: bool,
    /// Another process uses the name of this site: true when this one came later and is silent.
    pub twin: Option<bool>,
    /// VNIs that clients here want.
    pub vnis_wanted: u64,
    /// VNIs that other sites want.
    pub vnis_exported: u64,
    /// VNIs whose changes wait for the engine.
    pub vnis_behind: u64,
    /// VNIs of which a snapshot is on its way here.
    pub snapshots_awaited: u64,
    /// Snapshots of a VNI that were sent.
    pub snapshots_sent: u64,
    /// Changes of routes that were sent.
    pub changes_sent: u64,
    /// Messages that were sent.
    pub messages_sent: u64,
    /// Messages that came.
    pub messages_received: u64,
    /// Messages of a kind or version that this program does not know.
    pub messages_unknown: u64,
    /// Messages and bytes that wait for the engine.
    pub queued_messages: u64,
    /// Bytes that wait for the engine.
    pub queued_bytes: u64,
    /// Times at which the engine was too slow for the changes of a VNI.
    pub fell_behind: u64,
    /// Times at which messages were lost on the way in here.
    pub overflows: u64,
    /// The other sites, in the order in which they were heard of.
    pub sites: Vec<SiteStatus>,
}
