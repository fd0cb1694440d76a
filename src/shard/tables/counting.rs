//! What tables count while they work.

use super::{Owned, Tables};
use crate::ids::Moment;
use crate::shard::inspect::{Metrics, MonitorFilter, MonitoredBatch, Occupancy};
use crate::table::Size;

/// Metrics with the part of tables filled in as things happen. What tables hold is as of their last
/// seal.
#[derive(Debug, Default)]
pub(super) struct Counting {
    metrics: Metrics,
}

impl Counting {
    pub(super) fn ignored(&mut self, updates: u64) {
        self.metrics.stats.updates_ignored += updates;
    }

    pub(super) fn batch(&mut self) {
        self.metrics.stats.batches += 1;
    }

    /// A chunk was built or shared; `subscribed` is when its subscriber was, if its dump is complete.
    pub(super) fn chunk(&mut self, now: Moment, subscribed: Option<Moment>) {
        self.metrics.stats.chunks += 1;
        if let Some(since) = subscribed {
            self.metrics.dumps.record(now.since(since));
        }
    }

    /// A table has become larger or smaller, has come or gone.
    pub(super) fn moved(&mut self, before: &Size, after: &Size) {
        self.metrics.now.resize(before, after);
    }

    /// A VNI has been sealed or trimmed, or is about to be dropped.
    pub(super) fn recount(&mut self, entry: &mut Owned) {
        let after = entry.table.size();
        let before = std::mem::replace(&mut entry.counted, after);
        self.moved(&before, &after);
        if let Some(vnet) = entry.table.opened() {
            self.metrics.coalesced += std::mem::take(&mut vnet.coalesced);
        }
    }
}

impl Occupancy {
    /// A table's part in it changes.
    fn resize(&mut self, before: &Size, after: &Size) {
        let moved = |total: u64, of: fn(&Size) -> u64| total + of(after) - of(before);
        self.routes = moved(self.routes, |size| size.routes);
        self.tombstones = moved(self.tombstones, |size| size.tombstones);
        self.journal = moved(self.journal, |size| size.journal);
    }
}

impl Tables {
    /// Fills in what the tables hold and have counted. Cost: a look at the VNIs with changes to seal,
    /// which have not been counted yet.
    pub(in crate::shard) fn fill(&self, metrics: &mut Metrics) {
        metrics.merge(&self.counting.metrics);
        for &id in &self.sealing.dirty {
            let entry = &self.owned[id];
            metrics.now.resize(&entry.counted, &entry.table.size());
            metrics.coalesced += entry.table.coalesced();
        }
        metrics.now.vnis += self.index.len() as u64;
    }

    /// Somebody begins to watch. Cost: a look at the VNIs with changes to seal.
    pub(in crate::shard) fn add_monitor(&mut self, filter: MonitorFilter) {
        self.monitors.add(filter);
        // Others are marked when they change next.
        for &id in &self.sealing.dirty {
            let vnet = self.owned[id].table.open();
            vnet.is_monitored = self.monitors.covers(vnet.vni);
        }
    }

    /// Somebody watches no more.
    pub(in crate::shard) fn remove_monitor(&mut self, filter: MonitorFilter) {
        self.monitors.remove(filter);
    }

    /// What watched VNIs have sealed since the last call.
    pub(in crate::shard) fn take_monitored(&mut self) -> Vec<MonitoredBatch> {
        self.monitors.take()
    }
}
