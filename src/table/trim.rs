//! Forgetting: what the journal no longer has to say, tombstones, members without a part, and, at
//! the very end, the slowest peer.

use super::bounds::Bounds;
use super::journal::Journal;
use super::member::{Origin, Subscription};
use super::slab::NONE;
use super::vnet::Vnet;
use crate::ids::{Moment, PeerId, ShardId};

impl Vnet {
    /// Forgets what no cursor and no queued batch needs, if there is enough of it or if `all`.
    /// Returns peers whose cursors can no longer be served: the journal has grown past its bound
    /// and they are the furthest behind.
    pub(crate) fn trim(&mut self, all: bool) -> Option<(ShardId, PeerId)> {
        self.retire_idle();
        if self.journal.len() < self.trim_at && !all {
            return None;
        }
        while self.pins.front().is_some_and(|pin| pin.batch.strong_count() == 0) {
            self.pins.pop_front();
        }
        let pinned = self.pins.front().map_or(self.open, |pin| pin.start);
        let cached = self.cache.oldest().unwrap_or(u64::MAX);
        let slowest = self
            .behind
            .iter()
            .filter_map(|&m| match &self.members[m as usize].subscription {
                Subscription::Behind(cursor) => cursor.needs().map(|needs| (needs, m)),
                _ => None,
            })
            .min();
        let needed = slowest.map_or(u64::MAX, |(needs, _)| needs);
        let end = self.open.min(pinned).min(cached).min(needed);
        while let Some((position, entry)) = self.journal.pop_before(end) {
            let route = self.routes.route(entry.route);
            if route.primary == NONE && route.changed == Journal::stamp(position) {
                self.routes.free(entry.route);
            }
        }
        if all {
            self.journal.shrink();
        }
        if self.journal.len() > self.compact_at && !self.behind.is_empty() {
            self.compact(pinned);
            self.compact_at = self.bounds.compact_at.max(self.journal.len() * 2);
        }
        self.trim_at = self.bounds.trim_at.max(self.journal.len() * 2);
        let Bounds { journal_min, journal_per_route, .. } = self.bounds;
        let bound = journal_min + journal_per_route * self.routes.announced();
        let (_, member) = slowest.filter(|_| self.journal.len() > bound)?;
        let Origin { shard, peer, .. } = self.members[member as usize].origin;
        Some((shard, peer))
    }

    /// Forgets what was kept only for a while.
    pub(crate) fn expire(&mut self, now: Moment) {
        self.cache.expire(now);
    }
}
