//! What tables count while they work.

use super::owned::Owned;
use crate::ids::Moment;
use crate::shard::inspect::{GROWTH_LIMITS, Metrics, Occupancy, PER_VNI};
use crate::table::{LimitHits, Size};

/// Metrics whose part for tables is updated at each event. The amounts that a table holds are those of its last
/// seal.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) metrics: Metrics,
}

impl Counting {
    pub(super) fn ignored(&mut self, updates: u64) {
        self.metrics.stats.updates_ignored += updates;
    }

    /// Counts refused announcements or subscriptions.
    pub(super) fn refused(&mut self, hits: &LimitHits) {
        let LimitHits { routes, memory, vnis, vni, peer } = *hits;
        for (limit, count) in GROWTH_LIMITS.into_iter().zip([routes, memory, vnis, vni, peer]) {
            if count > 0 {
                *self.metrics.growth_refused.entry(limit).or_default() += u64::from(count);
            }
        }
    }

    /// Counts a VNI that has come near its limit.
    pub(super) fn near_vni_limit(&mut self) {
        *self.metrics.near_limits.entry(PER_VNI).or_default() += 1;
    }

    pub(super) fn batch(&mut self) {
        self.metrics.stats.batches += 1;
    }

    /// Counts a chunk that was built or shared; `subscribed` is the time of its SUBSCRIBE, if it completes the dump.
    pub(super) fn chunk(&mut self, now: Moment, subscribed: Option<Moment>) {
        self.metrics.stats.chunks += 1;
        if let Some(since) = subscribed {
            self.metrics.dumps.record(now.since(since));
        }
    }

    /// Counts a table that has become larger or smaller, has come or gone.
    pub(super) fn moved(&mut self, before: &Size, after: &Size) {
        self.metrics.now.resize(before, after);
    }

    /// Counts a VNI again that has been sealed or trimmed, or is about to be dropped.
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
    /// Changes a table's share of the sums.
    pub(super) fn resize(&mut self, before: &Size, after: &Size) {
        let moved =
            |total: u64, of: fn(&Size) -> u32| total + u64::from(of(after)) - u64::from(of(before));
        self.routes = moved(self.routes, |size| size.routes);
        self.tombstones = moved(self.tombstones, |size| size.tombstones);
        self.journal = moved(self.journal, |size| size.journal);
        self.filtered = moved(self.filtered, |size| size.filtered);
        self.stale = moved(self.stale, |size| size.stale);
    }
}
