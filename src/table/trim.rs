//! Forgets journal entries that no cursor and no queued batch needs, tombstones, members that no longer take part, and,
//! as a last resort, the slowest peers.
//!
//! The decision what to forget is taken at once; the work is done in portions, because freeing a million routes would
//! make a long turn.

use super::bounds::TableBounds;
use super::journal::Journal;
use super::member::{Origin, Subscription};
use super::vnet::Vnet;
use crate::ids::{Moment, PeerId, ShardId};

impl Vnet {
    /// Finds the entries that no cursor and no queued batch needs, if there may be enough of them or if `all`, and
    /// forgets a portion; [`Vnet::tidy`] forgets the rest. Keeps the newest changes unless `all`: a
    /// withdrawn route may come back soon, and then its tombstone costs less than a new place.
    /// Returns the peers whose cursors can no longer be served, slowest first: the journal has grown past its bound,
    /// and without them it is within it. A single peer per call would not do: a thousand slow peers at about the same
    /// position would keep a journal that grows faster than their sessions end.
    pub(crate) fn trim(&mut self, all: bool) -> Vec<(ShardId, PeerId)> {
        self.members.retire_idle(self.journal.head());
        // At least as fast as the journal grows; see `tidy`.
        let news =
            usize::try_from(self.journal.head() - self.retention.trimmed_at).unwrap_or(usize::MAX);
        let portion = news.max(self.bounds.portion);
        self.retention.trimmed_at = self.journal.head();
        self.begin_compaction();
        if self.journal.len() < self.retention.trim_at && !all {
            self.tidy(portion);
            return Vec::new();
        }
        let pinned = self.pinned();
        let cached = self.cache.oldest().unwrap_or(u64::MAX);
        let slowest = self.needs().map(|(needs, _)| needs).min().unwrap_or(u64::MAX);
        let needed = slowest.min(pinned).min(cached);
        let head = self.journal.head();
        let newest = if all { 0 } else { self.bounds.trim_at as u64 / 2 };
        self.retention.needless = needed.min(head.saturating_sub(newest));
        self.tidy(portion);
        let kept = usize::try_from(head - needed.min(head)).unwrap_or(usize::MAX);
        let kept = kept.min(self.journal.len());
        let TableBounds { journal_min, journal_per_route, journal_span, .. } = self.bounds;
        let bound = journal_min + journal_per_route * self.routes.announced();
        let soon = (kept * 2).min(bound.max(kept + kept / 8));
        self.retention.trim_at = self.bounds.trim_at.max(soon);
        let mut first = head.saturating_sub(journal_span);
        if kept > bound {
            self.cache.forget_all();
            first = first.max(self.journal.newest(bound));
        }
        if slowest >= first {
            return Vec::new();
        }
        let mut late: Vec<_> = self.needs().filter(|(needs, _)| *needs < first).collect();
        late.sort_unstable();
        let origin = |(_, member): (u64, u32)| self.members[member].origin;
        late.into_iter().map(origin).map(|Origin { shard, peer, .. }| (shard, peer)).collect()
    }

    /// The members that are behind and the journal positions that they need.
    fn needs(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.members.behind().iter().filter_map(|&member| {
            match &self.members[member].subscription {
                Subscription::Behind(cursor) => cursor.needs().map(|needs| (needs, member)),
                _ => None,
            }
        })
    }

    /// Whether [`Vnet::tidy`] has anything to do.
    pub(crate) fn is_untidy(&self) -> bool {
        self.journal.base() < self.retention.needless || self.retention.pass.is_some()
    }

    /// Goes on with what [`Vnet::trim`] began: forgets up to `portion` journal entries, and looks at twice
    /// as many to coalesce them.
    pub(crate) fn tidy(&mut self, portion: usize) {
        let mut ending = Vec::new();
        self.journal.forget(self.retention.needless, portion, &mut ending);
        for (position, route) in ending {
            let entry = self.routes.route(route);
            if !entry.is_announced() && entry.changed == Journal::stamp(position) {
                self.free_route(route);
            }
        }
        // If the journal grew by one entry for each entry that is looked at, this would never end.
        self.compact(2 * portion);
    }

    /// Forgets chunks that were kept only for a while.
    pub(crate) fn expire(&mut self, now: Moment) {
        self.cache.expire(now);
    }

    /// The position at which the oldest batch in any outbox begins, or else the start of the open batch.
    pub(super) fn pinned(&mut self) -> u64 {
        while self.retention.pins.front().is_some_and(|pin| pin.batch.strong_count() == 0) {
            self.retention.pins.pop_front();
        }
        self.retention.pins.front().map_or(self.open, |pin| pin.start)
    }
}
