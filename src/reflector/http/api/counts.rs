//! What counters look like in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::ShardId;
use crate::reflector::Refused;
use crate::reflector::balance::Report;
use crate::reflector::inspector::Counters;
use crate::shard::inspect::{ByAction, Histogram, Holdings, Metrics};

/// All shards together.
#[derive(Debug, Serialize)]
pub(super) struct CountersRow {
    #[serde(flatten)]
    total: MetricsRow,
    connections_refused: RefusedRow,
}

impl From<Counters> for CountersRow {
    fn from(counters: Counters) -> Self {
        Self { total: counters.total.into(), connections_refused: counters.refused.into() }
    }
}

/// One shard.
#[derive(Debug, Serialize)]
pub(super) struct ShardRow {
    shard: u16,
    is_stuck: bool,
    #[serde(flatten)]
    balance: Option<BalanceRow>,
    #[serde(flatten)]
    metrics: Option<MetricsRow>,
}

/// What the balancer says of a shard.
#[derive(Debug, Serialize)]
struct BalanceRow {
    is_awake: bool,
    why: String,
    load: f64,
    waits: f64,
    partitions: usize,
    partition_moves: FlowRow,
    session_moves: FlowRow,
    is_freed_from_core: bool,
}

/// What has come and gone.
#[derive(Debug, Serialize)]
struct FlowRow {
    arrived: u64,
    left: u64,
}

impl ShardRow {
    /// One that stands still has none.
    pub(super) fn new(shard: ShardId, report: &Report, metrics: Option<Metrics>) -> Self {
        let awake = report.shards.iter().filter(|shard| shard.is_awake).count();
        let balance = report.shards.get(shard.index()).map(|it| BalanceRow {
            is_awake: it.is_awake,
            why: report.why.sentence(awake),
            load: it.ran,
            waits: it.waited,
            partitions: it.partitions,
            partition_moves: FlowRow { arrived: it.arrived.partitions, left: it.left.partitions },
            session_moves: FlowRow { arrived: it.arrived.sessions, left: it.left.sessions },
            is_freed_from_core: it.is_freed,
        });
        let is_stuck = metrics.is_none();
        Self { shard: shard.0, is_stuck, balance, metrics: metrics.map(Into::into) }
    }
}

/// What there is and what has happened.
#[derive(Debug, Serialize)]
struct MetricsRow {
    now: HoldingsRow,
    sessions_opened: u64,
    sessions_established: u64,
    sessions_closed: BTreeMap<&'static str, u64>,
    connections_without_hello: BTreeMap<&'static str, u64>,
    invalid_messages: BTreeMap<&'static str, u64>,
    messages_skipped: BTreeMap<&'static str, u64>,
    limit_hits: BTreeMap<&'static str, u64>,
    updates_received: ByActionRow,
    updates_sent: ByActionRow,
    updates_ignored: u64,
    updates_coalesced: u64,
    batches: u64,
    batches_queued: u64,
    fell_behind: u64,
    chunks: u64,
    bytes_received: u64,
    bytes_sent: u64,
    writes: u64,
    late_ticks: u64,
    propagation: HistogramRow,
    dumps: HistogramRow,
    loop_stalls: HistogramRow,
    cpu_seconds: f64,
}

impl From<Metrics> for MetricsRow {
    fn from(metrics: Metrics) -> Self {
        let stats = metrics.stats;
        Self {
            now: metrics.now.into(),
            sessions_opened: stats.sessions,
            sessions_established: stats.established,
            sessions_closed: metrics.closed,
            connections_without_hello: metrics.without_hello,
            invalid_messages: metrics.invalid,
            messages_skipped: metrics.skipped,
            limit_hits: metrics.limits,
            updates_received: metrics.received.into(),
            updates_sent: metrics.sent.into(),
            updates_ignored: stats.updates_ignored,
            updates_coalesced: metrics.coalesced,
            batches: stats.batches,
            batches_queued: stats.batches_queued,
            fell_behind: stats.fell_behind,
            chunks: stats.chunks,
            bytes_received: stats.bytes_received,
            bytes_sent: stats.bytes_sent,
            writes: stats.writes,
            late_ticks: stats.late_ticks,
            propagation: (&metrics.propagation).into(),
            dumps: (&metrics.dumps).into(),
            loop_stalls: (&metrics.turns).into(),
            cpu_seconds: metrics.busy.as_secs_f64(),
        }
    }
}

#[derive(Debug, Serialize)]
struct HoldingsRow {
    connecting: u64,
    established: u64,
    vnis: u64,
    routes: u64,
    tombstones: u64,
    journal: u64,
    subscriptions: u64,
    behind: u64,
    slow_peers: u64,
    backlog_bytes: u64,
}

impl From<Holdings> for HoldingsRow {
    fn from(now: Holdings) -> Self {
        Self {
            connecting: now.connecting,
            established: now.established,
            vnis: now.vnis,
            routes: now.routes,
            tombstones: now.tombstones,
            journal: now.journal,
            subscriptions: now.subscriptions,
            behind: now.behind,
            slow_peers: now.slow_peers,
            backlog_bytes: now.backlog,
        }
    }
}

#[derive(Debug, Serialize)]
struct ByActionRow {
    adds: u64,
    removes: u64,
}

impl From<ByAction> for ByActionRow {
    fn from(ByAction { adds, removes }: ByAction) -> Self {
        Self { adds, removes }
    }
}

/// The quantiles are upper bounds; null when nothing was counted.
#[derive(Debug, Serialize)]
struct HistogramRow {
    count: u64,
    sum_seconds: f64,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
    p999_seconds: Option<f64>,
}

impl From<&Histogram> for HistogramRow {
    fn from(histogram: &Histogram) -> Self {
        let quantile = |share| histogram.quantile(share).map(|bound| bound.as_secs_f64());
        Self {
            count: histogram.count(),
            sum_seconds: histogram.sum().as_secs_f64(),
            p50_seconds: quantile(0.5),
            p99_seconds: quantile(0.99),
            p999_seconds: quantile(0.999),
        }
    }
}

#[derive(Debug, Serialize)]
struct RefusedRow {
    max_peers: u64,
    max_peers_per_source: u64,
    connect_rate_per_source: u64,
    denied: u64,
    draining: u64,
}

impl From<Refused> for RefusedRow {
    fn from(refused: Refused) -> Self {
        Self {
            max_peers: refused.max_peers,
            max_peers_per_source: refused.per_source,
            connect_rate_per_source: refused.rate,
            denied: refused.denied,
            draining: refused.draining,
        }
    }
}
