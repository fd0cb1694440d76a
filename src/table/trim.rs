//! Forgets journal entries that no cursor and no queued batch needs, tombstones, members that no longer take part, and,
//! as a last resort, the slowest peer.
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
    /// Returns a peer whose cursor can no longer be served: the journal has grown past its bound
    /// and this peer is the furthest behind.
    pub(crate) fn trim(&mut self, all: bool) -> Option<(ShardId, PeerId)> {
        self.members.retire_idle(self.journal.head());
        // At least as fast as the journal grows; see `tidy`.
        let news =
            usize::try_from(self.journal.head() - self.retention.trimmed_at).unwrap_or(usize::MAX);
        let portion = news.max(self.bounds.portion);
        self.retention.trimmed_at = self.journal.head();
        self.begin_compaction();
        if self.journal.len() < self.retention.trim_at && !all {
            self.tidy(portion);
            return None;
        }
        let pinned = self.pinned();
        let cached = self.cache.oldest().unwrap_or(u64::MAX);
        let slowest = self
            .members
            .behind()
            .iter()
            .filter_map(|&m| match &self.members[m].subscription {
                Subscription::Behind(cursor) => cursor.needs().map(|needs| (needs, m)),
                _ => None,
            })
            .min();
        let needed = slowest.map_or(u64::MAX, |(needs, _)| needs).min(pinned).min(cached);
        let head = self.journal.head();
        let newest = if all { 0 } else { self.bounds.trim_at as u64 / 2 };
        self.retention.needless = needed.min(head.saturating_sub(newest));
        self.tidy(portion);
        let kept = usize::try_from(head - needed.min(head)).unwrap_or(usize::MAX);
        let kept = kept.min(self.journal.len());
        self.retention.trim_at = self.bounds.trim_at.max(kept * 2);
        let TableBounds { journal_min, journal_per_route, journal_span, .. } = self.bounds;
        let bound = journal_min + journal_per_route * self.routes.announced();
        let is_too_long = |needs: u64| kept > bound || head.saturating_sub(needs) > journal_span;
        let (_, member) = slowest.filter(|(needs, _)| is_too_long(*needs))?;
        let Origin { shard, peer, .. } = self.members[member].origin;
        Some((shard, peer))
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
