//! What operators ask of the tables of a shard.

use super::Tables;
use crate::shard::inspect::{Metrics, MonitorFilter, MonitoredBatch};

impl Tables {
    /// Fills in what the tables hold and have counted. Cost: a look at the VNIs with changes to seal,
    /// which have not been counted yet.
    pub(in crate::shard) fn fill(&self, metrics: &mut Metrics) {
        metrics.merge(&self.counting.metrics);
        metrics.refused.add(&self.settings.policy, &self.policing.tally);
        for &id in &self.sealing.dirty {
            let entry = &self.owned[id];
            metrics.now.resize(&entry.counted, &entry.table.size());
            metrics.coalesced += entry.table.coalesced();
        }
        metrics.now.vnis += self.index.len() as u64;
    }

    /// A monitor begins to watch. Cost: a look at the VNIs with changes to seal.
    pub(in crate::shard) fn add_monitor(&mut self, filter: MonitorFilter) {
        self.monitors.add(filter);
        // Other VNIs are marked at their next change.
        for &id in &self.sealing.dirty {
            let vnet = self.owned[id].table.open();
            vnet.is_monitored = self.monitors.covers(vnet.vni);
        }
    }

    /// A monitor stops watching.
    pub(in crate::shard) fn remove_monitor(&mut self, filter: MonitorFilter) {
        self.monitors.remove(filter);
    }

    /// The batches that watched VNIs have sealed since the last call.
    pub(in crate::shard) fn take_monitored(&mut self) -> Vec<MonitoredBatch> {
        self.monitors.take()
    }
}
