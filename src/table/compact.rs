//! Keeps the journal as long as the routes are many, not as long as the slowest peer is slow.
//!
//! Only positions that some cursor knows the view of can be told apart: the journal between two
//! such positions may hold any number of changes of a route, but what the view was before the first
//! of them says all there is to say. So each such stretch keeps one entry per route, and none for
//! a route that came back to what it was.
//!
//! Positions move: what is kept is pushed up against the entries that batches in outboxes begin at,
//! which stay where they are, and cursors are moved along. Cost: once over the journal, when it has
//! doubled since the last time.

use ahash::AHashMap;

use super::journal::{Entry, Journal, View};
use super::member::Subscription;
use super::slab::NONE;
use super::vnet::Vnet;

/// An entry of a stretch, while it is being decided upon.
struct Kept {
    at: u64,
    entry: Entry,
}

impl Vnet {
    /// Coalesces the journal before `end`, where nothing but cursors holds positions.
    pub(super) fn compact(&mut self, end: u64) {
        self.cache.clear();
        let (base, head) = (self.journal.base(), self.journal.head());
        let marks = self.marks(base, end);
        let walked = self.walked();
        let mut kept: Vec<Kept> = Vec::new();
        let mut dropped = Vec::new();
        // From the newest stretch to the oldest: then what a route's view is after a stretch is what
        // it is before the route's next change, or what it is now.
        let mut after: AHashMap<u32, View> = AHashMap::with_hasher(self.routes.hasher());
        for at in end..head {
            let entry = self.journal.at(at);
            after.entry(entry.route).or_insert(entry.before);
        }
        for stretch in marks.windows(2).rev() {
            let (from, to) = (stretch[0], stretch[1]);
            let must_stay = walked.iter().any(|(low, high)| (*low..*high).contains(&from));
            let mut firsts: AHashMap<u32, u64> = AHashMap::with_hasher(self.routes.hasher());
            for at in from..to {
                firsts.entry(self.journal.at(at).route).or_insert(at);
            }
            for at in (from..to).rev() {
                let entry = self.journal.at(at);
                if firsts.get(&entry.route) != Some(&at) {
                    continue;
                }
                let then = after.insert(entry.route, entry.before);
                let then = then.unwrap_or_else(|| self.view(entry.route));
                if then == entry.before && !must_stay {
                    dropped.push(entry.route);
                } else {
                    kept.push(Kept { at, entry });
                }
            }
        }
        kept.reverse();
        let moved = |position: u64| {
            if position >= end {
                return position;
            }
            end - (kept.len() - kept.partition_point(|kept| kept.at < position)) as u64
        };
        self.ages.move_by(base, moved);
        self.free.iter_mut().for_each(|(until, _)| *until = moved(*until));
        for member in &mut self.members {
            member.dump_to = member.dump_to.map(moved);
            if let Subscription::Behind(cursor) = &mut member.subscription {
                cursor.move_by(moved);
            }
        }
        let rest: Vec<Entry> = (end..head).map(|at| self.journal.at(at)).collect();
        let begin = end - kept.len() as u64;
        self.journal = Journal::beginning_at(begin);
        for entry in kept.iter().map(|kept| kept.entry).chain(rest) {
            let prev = self.last_change(entry.route);
            let position = self.journal.push(entry.route, entry.before, prev);
            self.routes.set_changed(entry.route, Journal::stamp(position));
        }
        self.free_unmentioned(dropped);
    }

    /// Every position in `base..=end` that a cursor knows the view of, with both ends.
    fn marks(&self, base: u64, end: u64) -> Vec<u64> {
        let mut marks = vec![base, end];
        for &member in &self.behind {
            if let Subscription::Behind(cursor) = &self.members[member as usize].subscription {
                cursor.positions(|position| marks.push(position));
            }
        }
        marks.retain(|position| (base..=end).contains(position));
        marks.sort_unstable();
        marks.dedup();
        marks
    }

    /// The parts that cursors have walked, merged: there every entry must stay, because it tells when
    /// its destination was sent.
    fn walked(&self) -> Vec<(u64, u64)> {
        let mut parts = Vec::new();
        for &member in &self.behind {
            if let Subscription::Behind(cursor) = &self.members[member as usize].subscription {
                parts.extend(cursor.walked_part());
            }
        }
        parts.sort_unstable();
        parts.dedup_by(|next, last| {
            let touches = next.0 <= last.1;
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
        parts
    }

    /// Frees those of the routes that nobody announces and the journal no longer mentions.
    fn free_unmentioned(&mut self, mut routes: Vec<u32>) {
        routes.sort_unstable();
        routes.dedup();
        for route in routes {
            let entry = self.routes.route(route);
            let is_mentioned = self
                .journal
                .position(entry.changed)
                .is_some_and(|p| self.journal.at(p).route == route);
            if entry.primary == NONE && !is_mentioned {
                self.routes.free(route);
            }
        }
    }
}
