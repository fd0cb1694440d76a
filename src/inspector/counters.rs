//! The counters of shards, and the report of the balancer about shards.

use super::{InspectError, Inspector};
use crate::counts::Counters;
use crate::ids::ShardId;
use crate::shard::inspect::Metrics;
use crate::threads::BalanceReport;

impl Inspector {
    /// Counters and histograms. Cost: one question per shard, which copies the counters and counts each table with
    /// unsealed changes.
    ///
    /// # Errors
    /// [`InspectError::Stopped`]
    pub async fn counters(&self) -> Result<Counters, InspectError> {
        self.counters_without(&[]).await
    }

    /// The same, without asking some shards: their last known counters are used.
    pub(crate) async fn counters_without(
        &self,
        silent: &[ShardId],
    ) -> Result<Counters, InspectError> {
        let mut shards = Vec::new();
        let mut total = Metrics::default();
        for shard in (0..self.control.shards()).map(ShardId) {
            let metrics = if silent.contains(&shard) {
                self.control.last_counters(shard)
            } else {
                let metrics = self.counters_of(shard).await?;
                self.control.keep_counters(shard, &metrics);
                metrics
            };
            total.merge(&metrics);
            shards.push(metrics);
        }
        let refused = self.control.refused.read();
        for (name, count) in refused.limits() {
            if count > 0 {
                *total.limits.entry(name).or_default() += count;
            }
        }
        Ok(Counters { total, shards, refused, tls: self.control.tls.read() })
    }

    /// The counters of one shard. Cost: one question.
    ///
    /// # Errors
    /// [`InspectError::Stopped`], also if there is no such shard.
    pub async fn counters_of(&self, shard: ShardId) -> Result<Metrics, InspectError> {
        self.control.metrics_of(shard.0).await
    }

    /// Which shards are awake, which VNIs and sessions have moved, and why.
    pub(crate) fn balance(&self) -> BalanceReport {
        self.control.balance()
    }
}
