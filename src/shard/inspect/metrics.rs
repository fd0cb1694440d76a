//! What a shard counts and measures, as one copy for a reader: every number with its names.
//!
//! A new counter is one member here and an addition where it happens.

use std::collections::BTreeMap;
use std::time::Duration;

use super::refusals::Refusals;
use crate::metrics::{ByAction, Histogram, Live, Row, counted};
use crate::session::{CloseReason, Skipped};
use crate::wire::WireError;

/// The name of counts of sessions, which counts of refused connections share.
pub(crate) const SESSIONS: Row = Row::new().counter(
    "metalbond_sessions_total",
    "Sessions by event: opened, established, closed or refused; the latter two have a reason.",
);

/// Names of the limits that keep the reflector from growing.
pub(crate) const GROWTH_LIMITS: [&str; 5] =
    ["max_routes", "memory_budget", "max_vnis", PER_VNI, PER_PEER];
/// Names of the limits near which the reflector warns.
pub(crate) const PER_VNI: &str = "max_routes_per_vni";
pub(crate) const PER_PEER: &str = "max_routes_per_peer";

const PEERS: [&str; 2] = ["metalbond_peers", "Sessions by the state of their handshake."];

counted! {
    /// The present numbers. They are exact at the time of the question, except `behind`, `slow_peers` and `backlog`,
    /// which are from the last tick (two a second). All numbers can be added up over shards.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Occupancy {
        /// Connections whose handshake is not complete, including those without a HELLO.
        connecting: u64 = Row::json("connecting")
            .gauge(PEERS[0], PEERS[1])
            .with(&[("state", "connecting")]),
        /// Sessions that are established.
        established: u64 = Row::json("established")
            .gauge(PEERS[0], PEERS[1])
            .with(&[("state", "established")])
            .live(Live::Now("peers")),
        /// VNIs that the shard owns. One shard owns a VNI, so the sum is exact.
        vnis: u64 = Row::json("vnis")
            .gauge("metalbond_vnis", "VNIs in which at least one peer announces or subscribes.")
            .live(Live::Now("vnis")),
        /// Routes that at least one peer announces.
        routes: u64 = Row::json("routes")
            .gauge("metalbond_routes", "Routes that at least one peer announces.")
            .live(Live::Now("routes")),
        /// Withdrawn routes whose REMOVE some peer may still have to receive.
        tombstones: u64 = Row::json("tombstones").gauge(
            "metalbond_tombstones",
            "Withdrawn routes whose removal some peer may still have to receive.",
        ),
        /// Entries in the journals of the shard's VNIs; an entry takes 16 bytes.
        journal: u64 = Row::json("journal")
            .gauge("metalbond_journal_entries", "Entries in the journals of all VNIs; an entry takes 16 bytes."),
        /// Routes that peers announce and that the policy refuses.
        filtered: u64 = Row::json("filtered")
            .gauge(
                "metalbond_filtered_routes",
                "Routes that peers announce and that the policy or a block refuses.",
            ),
        /// Routes that `stale_hold` keeps: the session of their peer ended without notice.
        stale: u64 = Row::json("stale")
            .gauge(
                "metalbond_stale_routes",
                "Routes that --stale-hold keeps: their peer is gone without notice, or is back and has not \
                 announced them again.",
            ),
        /// Subscriptions of the peers that are connected to the shard.
        subscriptions: u64 = Row::json("subscriptions")
            .gauge("metalbond_subscriptions", "Subscriptions: one for each VNI of each peer.")
            .live(Live::Now("subscriptions")),
        /// Subscriptions that are not in sync.
        behind: u64 = Row::json("behind")
            .gauge(
                "metalbond_subscriptions_behind",
                "Subscriptions that lack routes or changes, which the reflector is still sending.",
            )
            .live(Live::Now("behind")),
        /// Peers that are behind in some VNI, whose write has hung for more than a second, or that large packets do
        /// not reach.
        slow_peers: u64 = Row::json("slow_peers")
            .gauge(
                "metalbond_slow_peers",
                "Peers that are behind in some VNI, whose write has hung for more than a second, or that \
                 large packets do not reach.",
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
    /// Counts since the start.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Stats {
        /// Sessions that began with a HELLO.
        sessions: u64 = SESSIONS.with(&[("event", "opened")]).named("sessions_opened"),
        /// Sessions that became established.
        established: u64 = SESSIONS.with(&[("event", "established")]).named("sessions_established"),
        /// UPDATEs received.
        updates_received: u64 = Row::new(),
        /// UPDATEs without effect, such as repeated ADDs, and REMOVEs of routes that the peer does not announce.
        updates_ignored: u64 = Row::json("updates_ignored").counter(
            "metalbond_updates_ignored_total",
            "UPDATEs without effect: repeated ADDs, REMOVEs of routes not announced, and ADDs for \
             destinations that have 4096 next hops.",
        ),
        /// Batches that the shard has sealed.
        batches: u64 = Row::json("batches").counter(
            "metalbond_batches_total",
            "Batches of changes of one VNI, each encoded once and queued for the subscribers of the VNI.",
        ),
        /// Batches put into outboxes; a batch counts once for each peer.
        batches_queued: u64 = Row::json("batches_queued"),
        /// Times that a subscriber fell behind, and a cursor took the place of its queue.
        fell_behind: u64 = Row::json("fell_behind").counter(
            "metalbond_fell_behind_total",
            "Times that a subscriber's queue was full; the reflector then sends it the changes from the VNI's \
             table, as fast as it reads.",
        ),
        /// Chunks built or shared for subscribers that were behind.
        chunks: u64 = Row::json("chunks"),
        /// Completed writes to peers.
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
        /// Times that the shard did not read a session for a while because its source had made too many changes.
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
    /// All counters and measurements of a shard. They can be added up over shards.
    #[derive(Clone, PartialEq, Eq, Debug, Default)]
    pub struct Metrics {
        /// The present numbers.
        now: Occupancy = Row::json("now"),
        /// UPDATEs received, without those that were skipped.
        received: ByAction = Row::json("updates_received")
            .counter("metalbond_updates_received_total", "UPDATEs received, without the skipped ones.")
            .by(&["action"])
            .live(Live::Rate("updates_received_per_second")),
        /// UPDATEs handed to sockets; an UPDATE counts once for each subscriber.
        sent: ByAction = Row::json("updates_sent")
            .counter(
                "metalbond_updates_sent_total",
                "UPDATEs handed to sockets; an UPDATE counts once for each subscriber.",
            )
            .by(&["action"])
            .live(Live::Rate("updates_sent_per_second")),
        /// Counts without labels.
        stats: Stats = Row::new(),
        /// UPDATEs without a message of their own, because the open batch had changed the same route already.
        coalesced: u64 = Row::json("updates_coalesced").counter(
            "metalbond_updates_coalesced_total",
            "UPDATEs merged into an earlier change of the same route that was not sent yet.",
        ),
        /// Times from the receipt of the first update of a batch to the end of the last write of the batch. A batch
        /// counts once. A write that has hung for half a second counts as ended at the next tick; subscribers that fell
        /// behind do not count.
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
        /// Connections that ended before their HELLO and so were no sessions, by [`CloseReason::name`].
        without_hello: BTreeMap<&'static str, u64> = Row::json("connections_without_hello")
            .counter(
                "metalbond_connections_without_hello_total",
                "Connections that ended before their HELLO, by reason; most are health checks.",
            )
            .by(&["reason"])
            .zeros(|| [&CloseReason::NAMES_BEFORE_HELLO[..], &WireError::ENDS].concat()),
        /// Invalid messages that ended a session, by [`WireError::name`].
        invalid: BTreeMap<&'static str, u64> = Row::json("invalid_messages")
            .counter("metalbond_invalid_messages_total", "Invalid messages; each ended its session.")
            .by(&["why"])
            .zeros(|| WireError::ENDS.to_vec()),
        /// Times that a limit ended or refused a session, by the name of the reason.
        limits: BTreeMap<&'static str, u64> = Row::json("limit_hits")
            .counter(
                "metalbond_limit_hits_total",
                "Times that a limit ended or refused a session.",
            )
            .by(&["limit"])
            .zeros(|| CloseReason::LIMITS.to_vec()),
        /// Routes, subscriptions and claims to be a server that the policy refused, or allowed with a warning. A route
        /// counts when it is new to its announcer.
        refused: Refusals = Row::json("policy_refused")
            .counter(
                "metalbond_policy_refused_total",
                "Routes, subscriptions and claims to be a server that the policy refused or, with verdict \
                 warn, reported.",
            )
            .by(&["class", "rule", "reason", "verdict"]),
        /// Announcements and subscriptions that a limit refused without ending the session, by the name of the limit.
        growth_refused: BTreeMap<&'static str, u64> = Row::json("growth_refused")
            .counter(
                "metalbond_growth_refused_total",
                "Announcements and subscriptions that a limit refused; their sessions went on.",
            )
            .by(&["limit"])
            .zeros(|| GROWTH_LIMITS.to_vec()),
        /// Times that a peer or a VNI reached 80 % of its limit on routes, by the name of the limit.
        near_limits: BTreeMap<&'static str, u64> = Row::json("limit_warnings")
            .counter(
                "metalbond_limit_warnings_total",
                "Times that a peer or a VNI reached 80 % of its limit on routes.",
            )
            .by(&["limit"])
            .zeros(|| vec![PER_VNI, PER_PEER]),
        /// Skipped messages, by a short name of the reason.
        skipped: BTreeMap<&'static str, u64> = Row::json("messages_skipped")
            .counter(
                "metalbond_messages_skipped_total",
                "Messages that the reflector could not understand and skipped; their sessions went on.",
            )
            .by(&["why"])
            .zeros(|| Skipped::names().collect()),
        /// Times from the receipt of a SUBSCRIBE until the last part of its dump was put into the peer's queue.
        dumps: Histogram = Row::json("dumps").histogram(
            "metalbond_dump_seconds",
            "Seconds from the receipt of a SUBSCRIBE until the last part of the VNI's table was queued \
             for the subscriber.",
        ),
        /// Times that turns of the shard's event loop took; during a turn no other peer is served.
        turns: Histogram = Row::json("loop_stalls")
            .histogram(
                "metalbond_shard_loop_stall_seconds",
                "Seconds that a turn of a shard's loop took, or a part of an answer to an operator; \
                 meanwhile the shard served no other peer.",
            )
            .per_shard(),
        /// The CPU time of the shard's thread; zero if the system does not report it.
        busy: Duration = Row::json("cpu_seconds")
            .counter("metalbond_shard_cpu_seconds_total", "Processor time of a shard's thread, in seconds.")
            .per_shard()
            .live(Live::Share("cpu_cores")),
    }
}
