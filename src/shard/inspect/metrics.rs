//! What a shard counts and measures, as one copy for a reader.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Histogram;
use crate::shard::Stats;

/// Updates by what they do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ByAction {
    /// ADDs.
    pub adds: u64,
    /// REMOVEs.
    pub removes: u64,
}

impl std::ops::AddAssign for ByAction {
    fn add_assign(&mut self, more: Self) {
        self.adds += more.adds;
        self.removes += more.removes;
    }
}

impl std::ops::Sub for ByAction {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self { adds: self.adds - less.adds, removes: self.removes - less.removes }
    }
}

/// What there is now. Exact when asked, but for what waits for peers (`behind`, `slow_peers` and
/// `backlog`): that is as of the last tick, of which there are two a second. Every field adds up over
/// shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holdings {
    /// Connections whose handshake is not complete, those without a HELLO included.
    pub connecting: u64,
    /// Sessions that are established.
    pub established: u64,
    /// VNIs owned. A VNI is counted where it is owned, so the sum is exact.
    pub vnis: u64,
    /// Routes that somebody announces.
    pub routes: u64,
    /// Routes that nobody announces any more but somebody may still have to be told of.
    pub tombstones: u64,
    /// Entries in the journals of all VNIs owned, 16 bytes each.
    pub journal: u64,
    /// Subscriptions of the peers connected here.
    pub subscriptions: u64,
    /// Of those, the ones that are not in sync.
    pub behind: u64,
    /// Peers that are behind in some VNI, or whose write has hung for more than a second.
    pub slow_peers: u64,
    /// Bytes that wait for peers or are being written to them.
    pub backlog: u64,
}

/// What happened since the shard began. Every field adds up over shards.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metrics {
    /// What there is now.
    pub now: Holdings,
    /// Counts without labels.
    pub stats: Stats,
    /// Sessions that ended, by [`CloseReason::name`](crate::CloseReason::name).
    pub closed: BTreeMap<&'static str, u64>,
    /// Connections that ended before their HELLO, by the same names: they are no sessions.
    pub without_hello: BTreeMap<&'static str, u64>,
    /// Messages that ended a session because they were no valid message, by [`WireError::name`](crate::wire::WireError::name).
    pub invalid: BTreeMap<&'static str, u64>,
    /// Times a limit ended a session or refused one, by the reason's name.
    pub limits: BTreeMap<&'static str, u64>,
    /// Messages that make no sense and were skipped, by a short name of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// UPDATEs received, without those that were skipped.
    pub received: ByAction,
    /// UPDATEs handed to sockets, one count per subscriber.
    pub sent: ByAction,
    /// Updates that changed a route which the batch being gathered had changed already, so that
    /// they cost no message of their own.
    pub coalesced: u64,
    /// From the receipt of the first update of a batch to the end of the write that brings it to
    /// its last subscriber. One count per batch. A peer whose write hangs counts as of when that
    /// was noticed (half a second), and subscribers that fell behind do not count.
    pub propagation: Histogram,
    /// From a SUBSCRIBE's receipt until the last part of its dump was put into the peer's queue.
    pub dumps: Histogram,
    /// Time that turns of the shard's loop took: for so long nobody else was served.
    pub turns: Histogram,
    /// Processor time of the shard's thread; zero where the system does not tell.
    pub busy: Duration,
}

impl Metrics {
    /// Adds what another shard holds and has counted.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            now,
            stats,
            closed,
            without_hello,
            invalid,
            limits,
            skipped,
            received,
            sent,
            ..
        } = self;
        now.merge(&other.now);
        stats.merge(&other.stats);
        for (mine, theirs) in [
            (closed, &other.closed),
            (without_hello, &other.without_hello),
            (invalid, &other.invalid),
            (limits, &other.limits),
            (skipped, &other.skipped),
        ] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
        *received += other.received;
        *sent += other.sent;
        self.coalesced += other.coalesced;
        self.propagation.merge(&other.propagation);
        self.dumps.merge(&other.dumps);
        self.turns.merge(&other.turns);
        self.busy += other.busy;
    }
}

impl Holdings {
    pub(crate) fn merge(&mut self, other: &Self) {
        let Self { connecting, established, vnis, routes, tombstones, journal, .. } = other;
        self.connecting += connecting;
        self.established += established;
        self.vnis += vnis;
        self.routes += routes;
        self.tombstones += tombstones;
        self.journal += journal;
        self.subscriptions += other.subscriptions;
        self.behind += other.behind;
        self.slow_peers += other.slow_peers;
        self.backlog += other.backlog;
    }
}

impl Stats {
    /// Adds another shard's counts.
    pub fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.established += other.established;
        self.bytes_received += other.bytes_received;
        self.updates_received += other.updates_received;
        self.updates_ignored += other.updates_ignored;
        self.batches += other.batches;
        self.batches_queued += other.batches_queued;
        self.fell_behind += other.fell_behind;
        self.chunks += other.chunks;
        self.bytes_sent += other.bytes_sent;
        self.writes += other.writes;
        self.late_ticks += other.late_ticks;
    }
}
