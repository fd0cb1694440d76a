//! What the reflector counts.

use std::collections::BTreeMap;

use crate::CloseReason;
use crate::http::text::Text;
use crate::ids::ShardId;
use crate::io::Backend;
use crate::reflector::inspector::Counters;
use crate::session::Skipped;
use crate::shard::inspect::{ByAction, Metrics};
use crate::wire::WireError;

pub(super) fn write(text: &mut Text, counters: &Counters, stuck: &[ShardId], backend: Backend) {
    let Counters { total, shards, .. } = counters;
    text.gauge("metalbond_build_info", "Always 1; the version that runs.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge("metalbond_shards", "Shards, by how they drive sockets.")
        .sample(&[("io", &*backend.to_string())], shards.len());
    text.gauge(
        "metalbond_shard_stuck",
        "1 while a shard stands still; what it has counted is as of then.",
    );
    for shard in (0..).map(ShardId).take(shards.len()) {
        text.sample(&[("shard", &*shard.to_string())], u8::from(stuck.contains(&shard)));
    }
    holdings(text, total);
    sessions(text, counters);
    updates(text, total);
    text.counter("metalbond_received_bytes_total", "Bytes received from peers.")
        .sample(&[], total.stats.bytes_received);
    text.counter("metalbond_sent_bytes_total", "Bytes written to peers.")
        .sample(&[], total.stats.bytes_sent);
    text.histogram(
        "metalbond_propagation_seconds",
        "From receiving the first update of a batch to the end of the write that brings it to its \
         last subscriber.",
    )
    .buckets(&[], &total.propagation);
    text.histogram(
        "metalbond_dump_seconds",
        "From receiving a SUBSCRIBE until the last part of its dump was queued.",
    )
    .buckets(&[], &total.dumps);
    text.histogram(
        "metalbond_shard_loop_stall_seconds",
        "For how long a turn of a shard's loop, or an operator's look, kept everybody else waiting.",
    );
    for (shard, metrics) in shards.iter().enumerate() {
        text.buckets(&[("shard", &*shard.to_string())], &metrics.turns);
    }
    text.counter(
        "metalbond_shard_late_ticks_total",
        "Times that a shard was more than a second late: for so long its peers were not served.",
    );
    for (shard, metrics) in shards.iter().enumerate() {
        text.sample(&[("shard", &*shard.to_string())], metrics.stats.late_ticks);
    }
    text.counter("metalbond_shard_cpu_seconds_total", "Processor time of a shard's thread.");
    for (shard, metrics) in shards.iter().enumerate() {
        text.sample(&[("shard", &*shard.to_string())], metrics.busy.as_secs_f64());
    }
}

fn holdings(text: &mut Text, total: &Metrics) {
    let now = &total.now;
    text.gauge("metalbond_peers", "Sessions by state.")
        .sample(&[("state", "connecting")], now.connecting)
        .sample(&[("state", "established")], now.established);
    let gauges = [
        ("metalbond_vnis", "VNIs that somebody takes part in.", now.vnis),
        ("metalbond_routes", "Routes that somebody announces.", now.routes),
        (
            "metalbond_tombstones",
            "Withdrawn routes that somebody may still have to be told of.",
            now.tombstones,
        ),
        ("metalbond_journal_entries", "Entries in the journals of all VNIs.", now.journal),
        ("metalbond_subscriptions", "Subscriptions.", now.subscriptions),
        (
            "metalbond_subscriptions_behind",
            "Subscriptions that lack something and are being sent it.",
            now.behind,
        ),
        (
            "metalbond_slow_peers",
            "Peers that are behind in some VNI, or whose write has hung for more than a second.",
            now.slow_peers,
        ),
        (
            "metalbond_tx_backlog_bytes",
            "Bytes that wait for peers or are being written to them.",
            now.backlog,
        ),
    ];
    text.gauges(gauges);
}

fn sessions(text: &mut Text, counters: &Counters) {
    let Counters { total, refused, .. } = counters;
    text.counter("metalbond_sessions_total", "Sessions by what happened to them, and why.")
        .sample(&[("event", "opened")], total.stats.sessions)
        .sample(&[("event", "established")], total.stats.established);
    for (reason, count) in with_zeros(&CloseReason::NAMES, &total.closed) {
        text.sample(&[("event", "closed"), ("reason", reason)], count);
    }
    for (reason, count) in refused.reasons() {
        text.sample(&[("event", "refused"), ("reason", reason)], count);
    }
    text.counter(
        "metalbond_connections_without_hello_total",
        "Connections that ended before their HELLO, which makes a session of them, and why.",
    );
    for (reason, count) in with_zeros(&CloseReason::NAMES_BEFORE_HELLO, &total.without_hello) {
        text.sample(&[("reason", reason)], count);
    }
    text.counter("metalbond_limit_hits_total", "Times a limit ended a session or refused one.");
    let limits = [CloseReason::MaxRoutes(0), CloseReason::MaxSubscriptions(0)];
    let none = limits.iter().map(CloseReason::name).chain(refused.limits().map(|(name, _)| name));
    let mut hits: BTreeMap<_, _> = none.map(|name| (name, 0)).collect();
    hits.extend(&total.limits);
    for (limit, count) in hits {
        text.sample(&[("limit", limit)], count);
    }
    text.counter("metalbond_invalid_messages_total", "Messages that ended their session.");
    let mut invalid: BTreeMap<_, _> = WireError::ENDS.map(|name| (name, 0)).into();
    invalid.extend(&total.invalid);
    for (why, count) in invalid {
        text.sample(&[("why", why)], count);
    }
    text.counter(
        "metalbond_messages_skipped_total",
        "Messages that make no sense and were skipped; their sessions went on.",
    );
    let mut skipped: BTreeMap<_, _> = Skipped::names().map(|name| (name, 0)).collect();
    skipped.extend(&total.skipped);
    for (why, count) in skipped {
        text.sample(&[("why", why)], count);
    }
}

/// Counts by reason; those that did not happen yet are there as well.
fn with_zeros(
    reasons: &[&'static str],
    counts: &BTreeMap<&'static str, u64>,
) -> BTreeMap<&'static str, u64> {
    let names = reasons.iter().chain(&WireError::ENDS);
    let mut all: BTreeMap<_, _> = names.map(|name| (*name, 0)).collect();
    all.extend(counts);
    all
}

fn updates(text: &mut Text, total: &Metrics) {
    let mut by_action = |name, help, ByAction { adds, removes }| {
        text.counter(name, help)
            .sample(&[("action", "add")], adds)
            .sample(&[("action", "remove")], removes);
    };
    by_action("metalbond_updates_received_total", "UPDATEs received.", total.received);
    by_action(
        "metalbond_updates_sent_total",
        "UPDATEs handed to sockets, one count per subscriber.",
        total.sent,
    );
    let stats = &total.stats;
    let counters = [
        (
            "metalbond_updates_coalesced_total",
            "Updates that cost no message because the batch being gathered had the route already.",
            total.coalesced,
        ),
        (
            "metalbond_updates_ignored_total",
            "Repeated ADDs, and REMOVEs of routes not announced.",
            stats.updates_ignored,
        ),
        ("metalbond_batches_total", "Batches sealed.", stats.batches),
        (
            "metalbond_fell_behind_total",
            "Times a subscriber could not take a batch and went on by cursor.",
            stats.fell_behind,
        ),
        ("metalbond_writes_total", "Writes to peers completed.", stats.writes),
    ];
    text.counters(counters);
}
