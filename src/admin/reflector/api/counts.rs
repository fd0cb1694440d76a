//! What counters look like in JSON.

use serde::Serialize;

use crate::counts::Counters;
use crate::ids::ShardId;
use crate::metrics::Members;
use crate::shard::inspect::Metrics;
use crate::threads::BalanceReport;

/// All shards together, with the connections that no shard ever saw.
pub(super) fn of_all(counters: &Counters) -> impl Serialize + use<> {
    Members([counters.total.rows(), counters.refused.rows(), counters.tls.rows()].concat())
}

/// One shard.
#[derive(Debug, Serialize)]
pub(super) struct ShardRow {
    shard: u16,
    is_stuck: bool,
    #[serde(flatten)]
    balance: Option<BalanceRow>,
    #[serde(flatten)]
    metrics: Option<Members>,
}

/// The balancer's numbers of a shard.
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

/// Moves to and from a shard.
#[derive(Debug, Serialize)]
struct FlowRow {
    arrived: u64,
    left: u64,
}

impl ShardRow {
    /// A stuck shard has no metrics.
    pub(super) fn new(shard: ShardId, report: &BalanceReport, metrics: Option<Metrics>) -> Self {
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
        Self { shard: shard.0, is_stuck, balance, metrics: metrics.map(|it| Members(it.rows())) }
    }
}
