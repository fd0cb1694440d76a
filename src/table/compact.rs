//! Bounds the length of the journal by the number of routes, however slow the slowest peer is.
//!
//! Only the positions of cursors matter. Between two such positions a route may have changed any number of times, but
//! only its view before the first of these changes is needed. So between two positions the journal keeps one entry per
//! route: the newest, which gets the view before the oldest change. If the route is as it was before, it keeps none.
//!
//! A pass goes from the oldest entry to those to which batches in outboxes may refer, a portion at a time. It follows
//! the links between changes of a destination, so it needs no memory of its own but for destinations of which many
//! routes change in turn: of their routes it notes the newest changes that it has met. Entries that are not needed are
//! taken out where they are; positions do not change, so the journal is valid after each step. The next pass begins
//! when the journal is twice as long as after the last one.

use super::journal::Journal;
use super::member::Subscription;
use super::retention::{Notes, Pass};
use super::view::View;
use super::vnet::Vnet;

/// The number of changes of other routes of a destination that are passed in search of a change of the same route. If
/// none is found, the pass notes the route's changes from then on; an earlier one stays.
const LINKS_MAX: usize = if cfg!(any(test, fuzzing)) { 2 } else { 32 };

/// The number of entries that a portion may look at for each of its own entries, on average.
const LOOKS: usize = 4;

/// The positions that cursors hold, as far as a portion of a pass needs them.
struct Marks {
    /// The positions in the portion, ascending, after the last one before the portion.
    positions: Vec<u64>,
    /// Parts that cursors have walked. An entry there stays even if its route's view came back, because it tells
    /// when its destination was sent.
    walked: Vec<(u64, u64)>,
}

impl Marks {
    /// The newest held position that is not beyond a position of the portion.
    fn before(&self, position: u64) -> u64 {
        let next = self.positions.partition_point(|mark| *mark <= position);
        next.checked_sub(1).map_or(0, |last| self.positions[last])
    }

    fn is_walked(&self, position: u64) -> bool {
        let part = self.walked.partition_point(|(_, high)| *high <= position);
        self.walked.get(part).is_some_and(|(low, _)| *low <= position)
    }
}

impl Vnet {
    /// Begins a pass over the entries to which only cursors refer, if it is time to.
    pub(super) fn begin_compaction(&mut self) {
        if self.journal.len() > self.retention.compact_at
            && self.retention.pass.is_none()
            && !self.members.behind().is_empty()
        {
            let (at, end) = (self.journal.base(), self.pinned());
            self.retention.pass = Some(Pass { at, end, newest: Notes::beginning_at(at) });
        }
    }

    /// Goes on with a pass over `most` entries, or fewer if each costs many looks.
    pub(super) fn compact(&mut self, most: usize) {
        let Some(Pass { at, end, mut newest }) = self.retention.pass.take() else { return };
        let first = self.journal.next_held(at).filter(|&first| first < end);
        let Some(first) = first.filter(|_| !self.members.behind().is_empty()) else {
            // Entries that came during the pass do not count: they have not been coalesced.
            let news = usize::try_from(self.journal.head().saturating_sub(end)).unwrap_or(0);
            let kept = self.journal.len().saturating_sub(news);
            self.retention.compact_at = self.bounds.compact_at.max(2 * kept);
            return;
        };
        let next = |&at: &u64| self.journal.next_held(at + 1).filter(|&at| at < end);
        let entries: Vec<u64> = std::iter::successors(Some(first), next).take(most).collect();
        let last = entries.last().map_or(first, |last| last + 1);
        let marks = self.marks(first, last);
        let (mut at, mut budget) = (first, LOOKS * most);
        for entry in entries {
            if budget == 0 {
                break;
            }
            let cost = self.compact_one(entry, &marks, &mut newest);
            budget = budget.saturating_sub(cost);
            at = entry + 1;
        }
        self.retention.pass = Some(Pass { at, end, newest });
    }

    /// Merges earlier changes of the same route into an entry. Returns 1, and 1 more for each entry passed in vain.
    fn compact_one(&mut self, at: u64, marks: &Marks, newest: &mut Notes) -> usize {
        let mut cost = 1;
        let entry = self.journal.at(at);
        let mut before = entry.before;
        if let Some(earlier) = newest.get(entry.route) {
            // All before it have been merged into it, or are told apart from it.
            self.merge(earlier, entry.route, &mut before, (at, marks));
            newest.set(entry.route, at);
        } else {
            let mut previous = self.journal.prev(at);
            while let Some(earlier) = previous
                && cost <= LINKS_MAX
            {
                previous = self.journal.prev(earlier);
                match self.merge(earlier, entry.route, &mut before, (at, marks)) {
                    Some(true) => {}
                    Some(false) => break,
                    None => cost += 1,
                }
            }
            if cost > LINKS_MAX {
                newest.set(entry.route, at);
            }
        }
        if before != entry.before {
            self.journal.set_before(at, before);
            if let Some(member) = before.sole_member() {
                let mentioned = &mut self.members[member].mentioned;
                *mentioned = (*mentioned).max(at + 1);
            }
        }
        let route = self.routes.route(entry.route);
        let is_newest = route.changed == Journal::stamp(at);
        if is_newest
            && self.journal.prev(at).is_none()
            && !marks.is_walked(at)
            && self.view(entry.route) == before
        {
            let is_tombstone = !route.is_announced();
            self.journal.remove(at);
            if is_tombstone {
                self.free_route(entry.route);
            }
        }
        cost
    }

    /// Merges the change at `earlier` into a later one of the same route at `at`, whose earlier view is `before`:
    /// `Some(true)` if that is possible, `None` if it is a change of another route.
    fn merge(
        &mut self,
        earlier: u64,
        route: u32,
        before: &mut View,
        (at, marks): (u64, &Marks),
    ) -> Option<bool> {
        let found = self.journal.get(earlier).filter(|found| found.route == route)?;
        let is_told_apart = earlier < marks.before(at);
        if is_told_apart && (found.before != *before || marks.is_walked(earlier)) {
            return Some(false);
        }
        *before = found.before;
        self.journal.remove(earlier);
        Some(true)
    }

    /// The positions from `first` to `last` that cursors hold, and the last one before `first`.
    fn marks(&self, first: u64, last: u64) -> Marks {
        let (mut positions, mut walked, mut before) = (Vec::new(), Vec::new(), 0);
        let members = self.members.behind().iter().map(|&member| &self.members[member]);
        let cursors = members.filter_map(|member| match &member.subscription {
            Subscription::Behind(cursor) => Some(&**cursor),
            _ => None,
        });
        for cursor in cursors.chain(self.cache.cursors()) {
            cursor.positions(|position| {
                if position <= first {
                    before = before.max(position);
                } else if position < last {
                    positions.push(position);
                }
            });
            walked.extend(cursor.walked_part());
        }
        positions.push(before);
        positions.sort_unstable();
        positions.dedup();
        walked.sort_unstable();
        walked.dedup_by(|next, last| {
            let touches = next.0 <= last.1;
            if touches {
                last.1 = last.1.max(next.1);
            }
            touches
        });
        Marks { positions, walked }
    }
}
