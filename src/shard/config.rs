//! What every shard is told when it starts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::policy::{ClassId, Policy};
use crate::session::{PACE, Pacing};
use crate::{outbox, table};

/// How often every peer is looked at. Sessions end at most this much late.
pub(in crate::shard) const TICK: Duration = Duration::from_millis(500);

/// A tick that is later by more than this is told of.
pub(in crate::shard) const TOO_LATE: Duration = Duration::from_secs(1);

/// Bytes read at once at most: a connection's budget in one turn.
pub(crate) const READ_MAX: usize = 64 * 1024;
/// The same where many peers wait to be read.
pub(crate) const READ_MIN: usize = 4 * 1024;

/// What happens to who exceeds a limit on routes. A warning is given at 80 % of it in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitAction {
    /// Nothing but a second warning.
    Warn,
    /// Announcements beyond it are refused; the session goes on.
    Ignore,
    /// The session ends.
    Close,
}

impl LimitAction {
    /// All of them, as settings name them.
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
    /// Routes that one peer may announce, over all VNIs.
    pub routes_per_peer: u64,
    /// What happens to a peer that announces more.
    pub routes_per_peer_action: LimitAction,
    /// VNIs that one peer may take part in: be subscribed to or announce in.
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
    /// Routes of one VNI; 0 is any number.
    pub routes: u64,
    /// What happens to an announcement of a further one, or to who makes it.
    pub action: LimitAction,
}

impl Default for VniLimits {
    fn default() -> Self {
        Self { routes: 4_000_000, action: LimitAction::Ignore }
    }
}

impl VniLimits {
    /// How many more routes a VNI may have that has so many.
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

/// The numbers that shape how much waits where. The defaults are meant for everyone; the
/// simulation draws them, to reach in a few steps what takes a large reflector to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardBounds {
    /// Of each VNI's table.
    pub table: table::TableBounds,
    /// Of each peer's outbox.
    pub outbox: outbox::OutboxBounds,
    /// Request cost of all peers together that may wait for one shard's tables, here or there, before
    /// no peer at all is read. One peer is not read long before that: ten thousand peers may have a read
    /// each waiting, of as many updates as fit into one where so many are read.
    pub request_room: usize,
    /// Deliveries that may wait with the owner for one other shard.
    pub delivery_room: usize,
    /// Request cost taken in during one turn, and routes of departed peers withdrawn in one.
    pub work_per_turn: usize,
    /// Bytes of all peers that are read between two turns, and what one read adds.
    pub read_per_turn: usize,
    /// VNIs that a peer no longer announces in and that it is kept a place in: it may come back.
    pub unused_vnis: usize,
}

/// Sessions that may have a read each waiting.
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

/// How a shard behaves. The same on every shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShardConfig {
    /// The keepalive interval in our HELLO, in seconds, at least 1.
    pub keepalive: u32,
    /// For how long a busy shard gathers updates at most before it sends them.
    pub batch_delay: Duration,
    /// A peer that reads nothing for so long, while there is something to read, is closed.
    pub send_hold: Duration,
    /// For how long the routes of a peer stay that is gone without a word; 0 withdraws them at once.
    pub stale_hold: Duration,
    /// Whether peers that do not advertise STREAM are paced (protocol.md, section 5).
    pub pacing: bool,
    /// Bytes per second to a paced peer whose window doesn't show whether it reads.
    pub pace: u64,
    /// Whether announcements are skipped whose next hop has a [`crate::wire::Flaw`]. Not by default: what
    /// a next hop means is between the peers, and leaves of this project refuse it by themselves.
    pub skip_unusable_next_hops: bool,
    /// Whether it says when a table is complete, to peers that want to know (END_OF_TABLE). Not where the table
    /// is one that comes from elsewhere and may itself not be complete.
    pub end_of_table: bool,
    /// See [`Limits`].
    pub limits: Limits,
    /// See [`VniLimits`].
    pub vni_limits: VniLimits,
    /// Changes of routes that all sessions of one source together may make per second; 0 for any number.
    pub change_rate_per_source: u32,
    /// See [`ShardBounds`].
    pub bounds: ShardBounds,
    /// What peers may announce and subscribe to, by their class.
    pub policy: Arc<Policy>,
    /// The name of this reflector's host, told to peers that know our extensions.
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

    /// For how long routes of a peer of a class stay that is gone without a word.
    pub(in crate::shard) fn stale_hold_of(&self, class: ClassId) -> Duration {
        self.policy.stale_hold(class).unwrap_or(self.stale_hold)
    }

    /// Whether routes of some peers stay.
    pub(in crate::shard) fn may_hold(&self) -> bool {
        !self.stale_hold.is_zero() || self.policy.has_stale_hold()
    }

    /// The limits of peers of a class.
    pub(in crate::shard) fn limits_of(&self, class: ClassId) -> Limits {
        Limits {
            routes_per_peer: self.routes_of(class),
            subscriptions_per_peer: self.subscriptions_of(class),
            ..self.limits
        }
    }

    /// How many more routes a peer of a class may announce that announces so many.
    pub(in crate::shard) fn room_of(&self, class: ClassId, routes: i64) -> i64 {
        match self.limits.routes_per_peer_action {
            LimitAction::Ignore => to_amount(self.routes_of(class)).saturating_sub(routes),
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
