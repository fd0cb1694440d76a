//! What a shard counts and measures, as one copy for a reader: every number with its names.
//!
//! A new counter is one member here and an addition where it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use super::refusals::Refusals;
use crate::metrics::{ByAction, Histogram, Live, Row, counted};
use crate::session::{CloseReason, Skipped};
use crate::wire::WireError;

/// The name of counts of sessions, which refused connections have as well.
pub(crate) const SESSIONS: Row = Row::new().counter(
    "metalbond_sessions_total",
    "Sessions by event: opened, established, closed or refused; the latter two have a reason.",
);

/// Limits that refuse what would make the reflector larger.
pub(crate) const GROWTH_LIMITS: [&str; 5] =
    ["max_routes", "memory_budget", "max_vnis", PER_VNI, PER_PEER];
/// Names of limits that a warning is given of.
pub(crate) const PER_VNI: &str = "max_routes_per_vni";
pub(crate) const PER_PEER: &str = "max_routes_per_peer";

const PEERS: [&str; 2] = ["metalbond_peers", "Sessions by the state of their handshake."];

counted! {
    /// What there is now. Exact when asked, but for what waits for peers (`behind`, `slow_peers` and
    /// `backlog`): that is as of the last tick, of which there are two a second. Every field adds up over
    /// shards.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Occupancy {
        /// Connections whose handshake is not complete, those without a HELLO included.
        connecting: u64 = Row::json("connecting")
            .gauge(PEERS[0], PEERS[1])
            .with(&[("state", "connecting")]),
        /// Sessions that are established.
        established: u64 = Row::json("established")
            .gauge(PEERS[0], PEERS[1])
            .with(&[("state", "established")])
            .live(Live::Now("peers")),
        /// VNIs owned. A VNI is counted where it is owned, so the sum is exact.
        vnis: u64 = Row::json("vnis")
            .gauge("metalbond_vnis", "VNIs in which at least one peer announces or subscribes.")
            .live(Live::Now("vnis")),
        /// Routes that somebody announces.
        routes: u64 = Row::json("routes")
            .gauge("metalbond_routes", "Routes that at least one peer announces.")
            .live(Live::Now("routes")),
        /// Routes that nobody announces any more but somebody may still have to be told of.
        tombstones: u64 = Row::json("tombstones").gauge(
            "metalbond_tombstones",
            "Withdrawn routes whose removal some peer may still have to receive.",
        ),
        /// Entries in the journals of all VNIs owned, 16 bytes each.
        journal: u64 = Row::json("journal")
            .gauge("metalbond_journal_entries", "Entries in the journals of all VNIs; an entry takes 16 bytes."),
        /// Routes that peers announce and that the policy refuses.
        filtered: u64 = Row::json("filtered")
            .gauge(
                "metalbond_filtered_routes",
                "Routes that peers announce and that the policy or a block refuses.",
            ),
        /// Routes of peers that are gone without a word, kept for a time.
        stale: u64 = Row::json("stale")
            .gauge(
                "metalbond_stale_routes",
                "Routes that --stale-hold keeps: their peer is gone without notice, or is back and has not \
                 announced them again.",
            ),
        /// Subscriptions of the peers connected here.
        subscriptions: u64 = Row::json("subscriptions")
            .gauge("metalbond_subscriptions", "Subscriptions: one for each VNI of each peer.")
            .live(Live::Now("subscriptions")),
        /// Of those, the ones that are not in sync.
        behind: u64 = Row::json("behind")
            .gauge(
                "metalbond_subscriptions_behind",
                "Subscriptions that lack routes or changes, which the reflector is still sending.",
            )
            .live(Live::Now("behind")),
        /// Peers that are behind in some VNI, or whose write has hung for more than a second.
        slow_peers: u64 = Row::json("slow_peers")
            .gauge(
                "metalbond_slow_peers",
                "Peers that are behind in some VNI, or whose write has hung for more than a second.",
            )
            .live(Live::Now("slow_peers")),
        /// Bytes that wait for peers or are being written to them.
        backlog: u64 = Row::json("backlog_bytes")
            .gauge(
                "metalbond_tx_backlog_bytes",
                "Bytes that wait for peers or are being written to them.",
            )
            .live(Live::Now("backlog_bytes")),
    }
}

counted! {
    /// Counts since the shard began.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Stats {
        /// Sessions begun: HELLOs received.
        sessions: u64 = SESSIONS.with(&[("event", "opened")]).named("sessions_opened"),
        /// Sessions that reached ESTABLISHED.
        established: u64 = SESSIONS.with(&[("event", "established")]).named("sessions_established"),
        /// UPDATEs received.
        updates_received: u64 = Row::new(),
        /// Updates without effect: repeated ADDs, REMOVEs of routes not announced.
        updates_ignored: u64 = Row::json("updates_ignored").counter(
            "metalbond_updates_ignored_total",
            "UPDATEs without effect: repeated ADDs, REMOVEs of routes not announced, and ADDs for \
             destinations that have 4096 next hops.",
        ),
        /// Batches sealed by VNIs of this shard.
        batches: u64 = Row::json("batches").counter(
            "metalbond_batches_total",
            "Batches of changes of one VNI, each encoded once and queued for the subscribers of the VNI.",
        ),
        /// Batches put into outboxes, one count per peer.
        batches_queued: u64 = Row::json("batches_queued"),
        /// Times a subscriber fell behind and went on by cursor.
        fell_behind: u64 = Row::json("fell_behind").counter(
            "metalbond_fell_behind_total",
            "Times that a subscriber's queue was full; the reflector then sends it the changes from the VNI's \
             table, as fast as it reads.",
        ),
        /// Chunks built or shared for subscribers that were behind.
        chunks: u64 = Row::json("chunks"),
        /// Writes completed.
        writes: u64 = Row::json("writes")
            .counter("metalbond_writes_total", "Completed writes to peers."),
        /// Bytes received.
        bytes_received: u64 = Row::json("bytes_received")
            .counter("metalbond_received_bytes_total", "Bytes received from peers.")
            .live(Live::Rate("bytes_received_per_second")),
        /// Bytes written.
        bytes_sent: u64 = Row::json("bytes_sent")
            .counter("metalbond_sent_bytes_total", "Bytes written to peers.")
            .live(Live::Rate("bytes_sent_per_second")),
        /// Times that a session was not read for a while because its source had changed too much.
        source_pauses: u64 = Row::json("source_pauses").counter(
            "metalbond_source_pauses_total",
            "Times that the reflector did not read a session for a while because its source had made \
             too many changes.",
        ),
        /// Times that the shard's clock tick was more than a second late.
        late_ticks: u64 = Row::json("late_ticks")
            .counter(
                "metalbond_shard_late_ticks_total",
                "Times that a turn of a shard began more than a second late; meanwhile the shard served no peer.",
            )
            .per_shard(),
    }
}

counted! {
    /// What happened since the shard began. Every field adds up over shards.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Metrics {
        /// What there is now.
        now: Occupancy = Row::json("now"),
        /// UPDATEs received, without those that were skipped.
        received: ByAction = Row::json("updates_received")
            .counter("metalbond_updates_received_total", "UPDATEs received, without the skipped ones.")
            .by(&["action"])
            .live(Live::Rate("updates_received_per_second")),
        /// UPDATEs handed to sockets, one count per subscriber.
        sent: ByAction = Row::json("updates_sent")
            .counter(
                "metalbond_updates_sent_total",
                "UPDATEs handed to sockets; an UPDATE counts once for each subscriber.",
            )
            .by(&["action"])
            .live(Live::Rate("updates_sent_per_second")),
        /// Counts without labels.
        stats: Stats = Row::new(),
        /// Updates that changed a route which the batch being gathered had changed already, so that
        /// they cost no message of their own.
        coalesced: u64 = Row::json("updates_coalesced").counter(
            "metalbond_updates_coalesced_total",
            "UPDATEs merged into an earlier change of the same route that was not sent yet.",
        ),
        /// From the receipt of the first update of a batch to the end of the write that brings it to
        /// its last subscriber. One count per batch. A peer whose write hangs counts as of when that
        /// was noticed (half a second), and subscribers that fell behind do not count.
        propagation: Histogram = Row::json("propagation")
            .histogram(
                "metalbond_propagation_seconds",
                "Seconds from the receipt of a batch's first UPDATE to the end of the write that brings \
                 the batch to its last subscriber.",
            )
            .live(Live::Quantiles([
                "propagation_count",
                "propagation_p50_seconds",
                "propagation_p99_seconds",
            ])),
        /// Sessions that ended, by [`CloseReason::name`].
        closed: BTreeMap<&'static str, u64> = SESSIONS
            .named("sessions_closed")
            .with(&[("event", "closed")])
            .by(&["reason"])
            .zeros(|| [&CloseReason::NAMES[..], &WireError::ENDS].concat())
            .live(Live::Count("sessions_closed")),
        /// Connections that ended before their HELLO, by the same names: they are no sessions.
        without_hello: BTreeMap<&'static str, u64> = Row::json("connections_without_hello")
            .counter(
                "metalbond_connections_without_hello_total",
                "Connections that ended before their HELLO, by reason; most are health checks.",
            )
            .by(&["reason"])
            .zeros(|| [&CloseReason::NAMES_BEFORE_HELLO[..], &WireError::ENDS].concat()),
        /// Messages that ended a session because they were no valid message, by [`WireError::name`].
        invalid: BTreeMap<&'static str, u64> = Row::json("invalid_messages")
            .counter("metalbond_invalid_messages_total", "Invalid messages; each ended its session.")
            .by(&["why"])
            .zeros(|| WireError::ENDS.to_vec()),
        /// Times a limit ended a session or refused one, by the reason's name.
        limits: BTreeMap<&'static str, u64> = Row::json("limit_hits")
            .counter(
                "metalbond_limit_hits_total",
                "Times that a limit ended or refused a session.",
            )
            .by(&["limit"])
            .zeros(|| CloseReason::LIMITS.to_vec()),
        /// What the policy refused, or let through with a warning: routes that were new to their announcer,
        /// subscriptions and claims to be a server.
        refused: Refusals = Row::json("policy_refused")
            .counter(
                "metalbond_policy_refused_total",
                "Routes, subscriptions and claims to be a server that the policy refused or, with verdict \
                 warn, reported.",
            )
            .by(&["class", "rule", "reason", "verdict"]),
        /// Announcements and subscriptions that a limit refused, by its name. Sessions go on.
        growth_refused: BTreeMap<&'static str, u64> = Row::json("growth_refused")
            .counter(
                "metalbond_growth_refused_total",
                "Announcements and subscriptions that a limit refused; their sessions went on.",
            )
            .by(&["limit"])
            .zeros(|| GROWTH_LIMITS.to_vec()),
        /// Times that a peer or a VNI came to 80 % of its limit on routes, by the limit's name.
        near_limits: BTreeMap<&'static str, u64> = Row::json("limit_warnings")
            .counter(
                "metalbond_limit_warnings_total",
                "Times that a peer or a VNI reached 80 % of its limit on routes.",
            )
            .by(&["limit"])
            .zeros(|| vec![PER_VNI, PER_PEER]),
        /// Messages that make no sense and were skipped, by a short name of the reason.
        skipped: BTreeMap<&'static str, u64> = Row::json("messages_skipped")
            .counter(
                "metalbond_messages_skipped_total",
                "Messages that the reflector could not understand and skipped; their sessions went on.",
            )
            .by(&["why"])
            .zeros(|| Skipped::names().collect()),
        /// From a SUBSCRIBE's receipt until the last part of its dump was put into the peer's queue.
        dumps: Histogram = Row::json("dumps").histogram(
            "metalbond_dump_seconds",
            "Seconds from the receipt of a SUBSCRIBE until the last part of the VNI's table was queued \
             for the subscriber.",
        ),
        /// Time that turns of the shard's loop took: for so long nobody else was served.
        turns: Histogram = Row::json("loop_stalls")
            .histogram(
                "metalbond_shard_loop_stall_seconds",
                "Seconds that a turn of a shard's loop took, or a part of an answer to an operator; \
                 meanwhile the shard served no other peer.",
            )
            .per_shard(),
        /// Processor time of the shard's thread; zero where the system does not tell.
        busy: Duration = Row::json("cpu_seconds")
            .counter("metalbond_shard_cpu_seconds_total", "Processor time of a shard's thread, in seconds.")
            .per_shard()
            .live(Live::Share("cpu_cores")),
    }
}
