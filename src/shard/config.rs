//! The configuration of shards, the same for all.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::{ClassId, Echo, Policy, Selection};
use crate::session::{PACE, Pacing};
use crate::{outbox, table};

/// How often the shard checks every peer. Sessions end at most this much late.
pub(in crate::shard) const TICK: Duration = Duration::from_millis(500);

/// The shard reports a tick that is later by more than this.
pub(in crate::shard) const TOO_LATE: Duration = Duration::from_secs(1);

/// Bytes read at once at most: a connection's budget in one turn.
pub(crate) const READ_MAX: usize = 64 * 1024;
/// The same while many peers wait to be read.
pub(crate) const READ_MIN: usize = 4 * 1024;

/// What the reflector does if a limit on routes is exceeded. In any case it warns at 80 % of the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitAction {
    /// Accept the route and warn a second time.
    Warn,
    /// Refuse announcements beyond the limit; the session goes on.
    Ignore,
    /// Close the session.
    Close,
}

impl LimitAction {
    /// All values, with their names in the configuration.
    pub const NAMES: [(&'static str, Self); 3] =
        [("warn", Self::Warn), ("ignore", Self::Ignore), ("close", Self::Close)];
}

impl FromStr for LimitAction {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, action)| action).ok_or("expected warn, ignore or close")
    }
}

impl fmt::Display for LimitAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::NAMES.into_iter().find(|(_, action)| action == self);
        f.write_str(found.map_or("", |(name, _)| name))
    }
}

/// Limits that protect the reflector from one peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The number of routes that one peer may announce, over all VNIs.
    pub routes_per_peer: u64,
    /// The action if a peer announces more routes.
    pub routes_per_peer_action: LimitAction,
    /// The number of VNIs that one peer may take part in: subscribe to or announce in.
    pub subscriptions_per_peer: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            routes_per_peer: 4_000_000,
            routes_per_peer_action: LimitAction::Close,
            subscriptions_per_peer: 65_536,
        }
    }
}

/// Limits that protect the subscribers of a VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VniLimits {
    /// The number of routes of one VNI; 0 means no limit.
    pub routes: u64,
    /// The action if a peer announces a further route; `Close` closes the session of that peer.
    pub action: LimitAction,
}

impl Default for VniLimits {
    fn default() -> Self {
        Self { routes: 4_000_000, action: LimitAction::Ignore }
    }
}

impl VniLimits {
    /// How many more routes a VNI with this number of routes may have.
    #[inline]
    pub(super) fn room(&self, routes: usize) -> i64 {
        match self.action {
            LimitAction::Ignore | LimitAction::Close if self.routes > 0 => {
                to_amount(self.routes) - table::amount(routes)
            }
            _ => i64::MAX,
        }
    }
}

fn to_amount(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The bounds of a shard's queues. Use the defaults: the type exists for the simulation, which draws small values so
/// that a few peers fill a queue. The *cost* of a request is the number of its updates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardBounds {
    /// Bounds of each VNI's table.
    pub table: table::TableBounds,
    /// Bounds of each peer's outbox.
    pub outbox: outbox::OutboxBounds,
    /// The cost of all peers' requests that may wait for the tables of one other shard; above it no peer is read. The
    /// default is one read of 4 KiB from each of ten thousand peers. A single peer is not read long before that.
    pub request_room: usize,
    /// The number of deliveries that may wait with the owner of a VNI for one other shard.
    pub delivery_room: usize,
    /// The cost of the requests served in one turn. At most half as many routes of departed peers are withdrawn in one
    /// turn.
    pub work_per_turn: usize,
    /// The bytes read from all peers between two turns; one read may exceed it.
    pub read_per_turn: usize,
    /// The number of VNIs in which a peer keeps its place after it has withdrawn its last route, because it may
    /// announce one again.
    pub unused_vnis: usize,
}

/// The number of sessions that may each have a read waiting.
const SESSIONS: usize = 10_000;
/// Bytes of an update of an IPv4 route with a next hop of the underlay: few are shorter.
const USUAL_UPDATE: usize = 36;

impl Default for ShardBounds {
    fn default() -> Self {
        Self {
            table: table::TableBounds::default(),
            outbox: outbox::OutboxBounds::default(),
            request_room: SESSIONS * READ_MIN / USUAL_UPDATE,
            delivery_room: 1024,
            work_per_turn: 16_384,
            read_per_turn: 128 * 1024,
            unused_vnis: 64,
        }
    }
}

/// The behaviour of a shard, the same for every shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardConfig {
    /// The longest keepalive interval in the reflector's HELLO, in seconds, at least 1. A peer that asks for less gets
    /// its own interval.
    pub keepalive: u32,
    /// The longest time for which a busy shard gathers updates before it sends them; at most
    /// [`ReflectorConfig::BATCH_DELAY_MAX`](crate::reflector::ReflectorConfig::BATCH_DELAY_MAX).
    pub batch_delay: Duration,
    /// The reflector closes a peer that reads nothing for this time while data waits for it; not 0.
    pub send_hold: Duration,
    /// For how long the reflector keeps the routes of a peer whose session ended without notice; 0 withdraws them at
    /// once.
    pub stale_hold: Duration,
    /// Which of its own routes a peer receives back. Holds for sessions that begin afterwards.
    pub echo: Echo,
    /// Whether a client receives one STANDARD route of each destination. Holds for sessions that begin afterwards.
    pub one_next_hop: bool,
    /// Whether peers that do not advertise STREAM are paced (`docs/protocol.md`, "Pacing").
    pub pacing: bool,
    /// The rate, in bytes per second, for a paced peer whose TCP window does not show whether it reads.
    pub pace: u64,
    /// Whether to skip announcements whose next hop has a [`crate::wire::Flaw`]. Off by default: the peers decide
    /// what a next hop means, and leaves of this project do not install such next hops.
    pub skip_unusable_next_hops: bool,
    /// Whether to send END_OF_TABLE to peers that advertise it. Turn it off if the table comes from elsewhere
    /// and may itself be incomplete.
    pub end_of_table: bool,
    /// Limits of each peer.
    pub limits: Limits,
    /// Limits of each VNI.
    pub vni_limits: VniLimits,
    /// The number of route changes per second that all sessions of one source together may make; 0 means no limit.
    pub change_rate_per_source: u32,
    /// Bounds of queues.
    pub bounds: ShardBounds,
    /// The classes of peers, and what each may announce and subscribe to.
    pub policy: Arc<Policy>,
    /// The name of this reflector's host, sent to peers that know the extensions.
    pub node: String,
}

impl ShardConfig {
    /// Routes that a peer of a class may announce.
    pub(in crate::shard) fn routes_of(&self, class: ClassId) -> u64 {
        self.policy.max_routes(class).unwrap_or(self.limits.routes_per_peer)
    }

    /// VNIs that a peer of a class may take part in.
    pub(in crate::shard) fn subscriptions_of(&self, class: ClassId) -> u64 {
        self.policy.max_subscriptions(class).unwrap_or(self.limits.subscriptions_per_peer)
    }

    /// For how long the routes of a peer of a class stay after its session ended without notice.
    pub(in crate::shard) fn stale_hold_of(&self, class: ClassId) -> Duration {
        self.policy.stale_hold(class).unwrap_or(self.stale_hold)
    }

    /// Whether the routes of some class of peers stay after their session.
    pub(in crate::shard) fn may_hold(&self) -> bool {
        !self.stale_hold.is_zero() || self.policy.has_stale_hold()
    }

    /// Which routes a peer of a class receives.
    pub(in crate::shard) fn selection_of(&self, class: ClassId) -> Selection {
        let one_next_hop = self.policy.one_next_hop(class).unwrap_or(self.one_next_hop);
        Selection::new(self.policy.echo(class).unwrap_or(self.echo), one_next_hop)
    }

    /// The limits of peers of a class.
    pub(in crate::shard) fn limits_of(&self, class: ClassId) -> Limits {
        Limits {
            routes_per_peer: self.routes_of(class),
            subscriptions_per_peer: self.subscriptions_of(class),
            ..self.limits
        }
    }

    /// How many routes a peer of a class may announce in one VNI, if it announces `elsewhere` routes in all others.
    pub(in crate::shard) fn room_of(&self, class: ClassId, elsewhere: impl Fn() -> i64) -> i64 {
        match self.limits.routes_per_peer_action {
            LimitAction::Ignore => to_amount(self.routes_of(class)).saturating_sub(elsewhere()),
            LimitAction::Warn | LimitAction::Close => i64::MAX,
        }
    }

    /// The times and rates of pacing.
    pub(super) fn pacing_limits(&self) -> Pacing {
        let trial = Pacing::default().trial.min(self.send_hold / 4);
        Pacing { pace: self.pace, trial }
    }
}

impl Default for ShardConfig {
    fn default() -> Self {
        Self {
            keepalive: 5,
            batch_delay: Duration::from_millis(1),
            send_hold: Duration::from_secs(90),
            stale_hold: Duration::ZERO,
            echo: Echo::None,
            one_next_hop: false,
            pacing: true,
            pace: PACE,
            skip_unusable_next_hops: false,
            end_of_table: true,
            limits: Limits::default(),
            vni_limits: VniLimits::default(),
            change_rate_per_source: 0,
            bounds: ShardBounds::default(),
            policy: Arc::default(),
            node: String::new(),
        }
    }
}
