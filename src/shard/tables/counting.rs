//! What tables count while they work.

use super::{Owned, Tables};
use crate::ids::Moment;
use crate::shard::Stats;
use crate::shard::inspect::{Histogram, Holdings, Metrics, TapFilter, Tapped};
use crate::table::Size;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Counting {
    stats: Stats,
    /// What the tables held at their last seal.
    now: Holdings,
    coalesced: u64,
    dumps: Histogram,
}

impl Counting {
    pub(super) fn ignored(&mut self, updates: u64) {
        self.stats.updates_ignored += updates;
    }

    pub(super) fn batch(&mut self) {
        self.stats.batches += 1;
    }

    /// A chunk was built or shared; `subscribed` is when its subscriber was, if its dump is complete.
    pub(super) fn chunk(&mut self, now: Moment, subscribed: Option<Moment>) {
        self.stats.chunks += 1;
        if let Some(since) = subscribed {
            self.dumps.record(now.since(since));
        }
    }

    /// A table has become larger or smaller, has come or gone.
    pub(super) fn moved(&mut self, before: &Size, after: &Size) {
        self.now.resize(before, after);
    }

    /// A VNI has been sealed or trimmed, or is about to be dropped.
    pub(super) fn recount(&mut self, entry: &mut Owned) {
        let after = entry.table.size();
        let before = std::mem::replace(&mut entry.counted, after);
        self.moved(&before, &after);
        if let Some(vnet) = entry.table.opened() {
            self.coalesced += std::mem::take(&mut vnet.coalesced);
        }
    }
}

impl Holdings {
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
        let Counting { stats, mut now, mut coalesced, dumps } = self.counting;
        for &id in &self.sealing.dirty {
            let entry = &self.owned[id];
            now.resize(&entry.counted, &entry.table.size());
            coalesced += entry.table.coalesced();
        }
        now.vnis = self.index.len() as u64;
        metrics.now.merge(&now);
        metrics.stats.merge(&stats);
        metrics.coalesced += coalesced;
        metrics.dumps = dumps;
    }

    /// Somebody begins to watch. Cost: a look at the VNIs with changes to seal.
    pub(in crate::shard) fn tap(&mut self, filter: TapFilter) {
        self.taps.add(filter);
        // Others are marked when they change next.
        for &id in &self.sealing.dirty {
            let vnet = self.owned[id].table.open();
            vnet.is_tapped = self.taps.covers(vnet.vni);
        }
    }

    /// Somebody watches no more.
    pub(in crate::shard) fn untap(&mut self, filter: TapFilter) {
        self.taps.remove(filter);
    }

    /// What watched VNIs have sealed since the last call.
    pub(in crate::shard) fn take_tapped(&mut self) -> Vec<Tapped> {
        self.taps.take()
    }
}
