//! What every shard is told when it starts.

use std::time::Duration;

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

/// Limits that protect the reflector from one peer; hitting one ends that peer's session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Routes that one peer may announce, over all VNIs.
    pub routes_per_peer: u64,
    /// VNIs that one peer may take part in: be subscribed to or announce in.
    pub subscriptions_per_peer: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { routes_per_peer: 4_000_000, subscriptions_per_peer: 65_536 }
    }
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
    /// Whether peers that do not advertise STREAM are paced (protocol.md, section 5).
    pub pacing: bool,
    /// Bytes per second to a paced peer whose window doesn't show whether it reads.
    pub pace: u64,
    /// Whether announcements are skipped whose next hop has a [`crate::wire::Flaw`]. Not by default: what
    /// a next hop means is between the peers, and leaves of this project refuse it by themselves.
    pub skip_unusable_next_hops: bool,
    /// See [`Limits`].
    pub limits: Limits,
    /// See [`ShardBounds`].
    pub bounds: ShardBounds,
    /// The name of this reflector's host, told to peers that know our extensions.
    pub node: String,
}

impl ShardConfig {
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
            pacing: true,
            pace: PACE,
            skip_unusable_next_hops: false,
            limits: Limits::default(),
            bounds: ShardBounds::default(),
            node: String::new(),
        }
    }
}
