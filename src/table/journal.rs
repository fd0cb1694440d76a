//! The order in which one VNI's routes changed.
//!
//! State: for each change of a route's [`View`], which route, what the view was *before*, and links
//! to the neighbouring changes of the same destination. Positions count changes since the VNI
//! began and never repeat. The journal is what lets a peer that fell behind be held as one number:
//! the state it knows is the state at that position, and what it lacks can be derived exactly.
//!
//! Bounds: entries live until no cursor and no queued batch starts before them (see
//! `Vnet::trim`); a VNI whose peers keep up holds a few batches' worth. Entries are in [`JournalPage`]s, which go
//! one by one, so no change moves more than a page. Entries that say nothing any more are taken out where
//! they are (see `compact`); positions stay what they are.

use std::collections::VecDeque;

use super::page::JournalPage;
use super::view::{ENDS, JournalEntry, View};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    base: u64,
    head: u64,
    /// The number of entries held.
    len: usize,
    /// The number of the first page. A position divided by [`JournalPage::POSITIONS`] gives the number of its page.
    first: u64,
    /// The pages that hold `base..head`; none when that range is empty.
    pages: VecDeque<JournalPage>,
}

impl Journal {
    /// An empty journal whose first change has this position.
    pub(crate) fn beginning_at(position: u64) -> Self {
        Self { base: position, head: position, ..Self::default() }
    }

    /// The oldest position held.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// One past the newest position: the position of the next change.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The number of entries held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry at a position, which must be held.
    #[inline]
    pub(crate) fn at(&self, position: u64) -> JournalEntry {
        self.get(position).unwrap_or(JournalEntry::NOTHING)
    }

    /// The entry at a position, if it is held.
    #[inline]
    pub(crate) fn get(&self, position: u64) -> Option<JournalEntry> {
        if position < self.base {
            return None;
        }
        self.pages.get(self.page(position))?.get(JournalPage::offset(position))
    }

    /// The entries at `position` and the following positions, as far as they are in one piece of
    /// memory; none if there is no entry at `position`, or if most of its page is gone.
    #[inline]
    pub(crate) fn run(&self, position: u64) -> &[JournalEntry] {
        let page = self.pages.get(self.page(position));
        page.map_or(&[], |page| page.run(JournalPage::offset(position)))
    }

    /// The first position from which on at most `most` entries are held. Cost: a look at each page behind it.
    pub(crate) fn newest(&self, most: usize) -> u64 {
        let mut left = most;
        for (number, page) in self.pages.iter().enumerate().rev() {
            let start = (self.first + number as u64) * JournalPage::POSITIONS;
            let offsets = self.base.saturating_sub(start)..JournalPage::POSITIONS;
            let held =
                if offsets.start == 0 { page.held() } else { page.within(offsets.clone()).count() };
            if held > left {
                let last = page.within(offsets).nth(held - left - 1);
                return last.map_or(start, |(offset, _)| start + offset + 1);
            }
            left -= held;
        }
        self.base
    }

    /// The first position from `position` on that has an entry.
    pub(crate) fn next_held(&self, position: u64) -> Option<u64> {
        let from = position.max(self.base);
        let first = self.page(from);
        let mut offset = JournalPage::offset(from);
        for page in first..self.pages.len() {
            if let Some(found) = self.pages[page].next_held(offset) {
                return Some(
                    (self.first + page as u64) * JournalPage::POSITIONS + u64::from(found),
                );
            }
            offset = 0;
        }
        None
    }

    /// The previous change of the same destination, if the journal still holds it.
    #[inline]
    pub(crate) fn prev(&self, position: u64) -> Option<u64> {
        let prev = position.checked_sub(u64::from(self.at(position).prev))?;
        (prev != position && prev >= self.base).then_some(prev)
    }

    /// The next change of the same destination, if there was one.
    #[inline]
    pub(crate) fn next(&self, position: u64) -> Option<u64> {
        let distance = self.at(position).next & !ENDS;
        (distance != 0).then_some(position + u64::from(distance))
    }

    /// Appends a change whose destination last changed at `prev`.
    pub(crate) fn push(&mut self, route: u32, before: View, prev: Option<u64>) -> u64 {
        let position = self.head;
        let prev = prev.filter(|&p| p >= self.base).map_or(0, |p| {
            let distance = distance(p, position);
            self.edit(p, |entry| entry.set_next(distance));
            distance
        });
        self.push_entry(JournalEntry { route, before, prev, next: ENDS });
        position
    }

    /// Appends a change of a route that is its destination's only one and whose newest change had this stamp. Returns
    /// the position of that earlier change, if it is held. If that is in the open batch (`open` or later), returns
    /// `None` and appends nothing.
    #[inline]
    pub(crate) fn push_lone(
        &mut self,
        route: u32,
        before: View,
        stamp: u32,
        open: u64,
    ) -> Option<Option<u64>> {
        let position = self.head;
        let mut prev = 0;
        let mut last = self.position(stamp);
        if let Some(at) = last {
            let page = self.page(at);
            let entry =
                self.pages.get_mut(page).and_then(|page| page.get_mut(JournalPage::offset(at)));
            match entry.filter(|entry| entry.route == route) {
                Some(entry) if at >= open => {
                    entry.next |= ENDS;
                    return None;
                }
                Some(entry) => {
                    prev = distance(at, position);
                    entry.next = prev;
                }
                None => last = None,
            }
        }
        // The route was not announced and now is, unless `set_ends` says otherwise later.
        let next = if before.is_announced() { ENDS } else { 0 };
        self.push_entry(JournalEntry { route, before, prev, next });
        Some(last)
    }

    #[inline]
    fn push_entry(&mut self, entry: JournalEntry) {
        if JournalPage::offset(self.head) == 0 || self.pages.is_empty() {
            self.add_page();
        }
        if let Some(page) = self.pages.back_mut() {
            page.push(entry);
        }
        self.head += 1;
        self.len += 1;
    }

    #[cold]
    fn add_page(&mut self) {
        if self.pages.is_empty() {
            self.first = self.head / JournalPage::POSITIONS;
            self.pages.push_back(JournalPage::beginning_at(JournalPage::offset(self.head)));
        } else {
            self.pages.push_back(JournalPage::after_another());
        }
    }

    /// Removes an entry, which must be held, and links its neighbours of the same destination.
    pub(crate) fn remove(&mut self, position: u64) {
        let (prev, next) = (self.prev(position), self.next(position));
        let between = prev.zip(next).map_or(0, |(prev, next)| distance(prev, next));
        if let Some(prev) = prev {
            self.edit(prev, |entry| entry.set_next(between));
        }
        if let Some(next) = next {
            self.edit(next, |entry| entry.prev = between);
        }
        let page = self.page(position);
        if let Some(page) = self.pages.get_mut(page) {
            page.remove(JournalPage::offset(position));
        }
        self.len -= 1;
    }

    /// Sets the earlier view of an entry's route.
    pub(crate) fn set_before(&mut self, position: u64, before: View) {
        self.edit(position, |entry| entry.before = before);
    }

    /// Notes in an entry that its route may have changed once more.
    pub(crate) fn set_ends(&mut self, position: u64) {
        self.edit(position, |entry| entry.next |= ENDS);
    }

    /// Drops up to `most` of the oldest entries before `end`, and the positions before them. If an entry may be the
    /// last of a withdrawn route, its position and the route are appended to `ending`. Cost: a look at each entry, one
    /// page after the other.
    pub(crate) fn forget(&mut self, end: u64, most: usize, ending: &mut Vec<(u64, u32)>) {
        let end = end.min(self.head);
        let mut left = most;
        while left > 0 && self.base < end {
            let start = self.first * JournalPage::POSITIONS;
            let until = end.min(start + JournalPage::POSITIONS);
            let offsets = self.base - start..until - start;
            let Some(page) = self.pages.front() else { break };
            let mut last = until;
            for (offset, entry) in page.within(offsets) {
                if left == 0 {
                    last = start + offset;
                    break;
                }
                left -= 1;
                if entry.ends() {
                    ending.push((start + offset, entry.route));
                }
            }
            self.base = last;
            if last == start + JournalPage::POSITIONS {
                self.pages.pop_front();
                self.first += 1;
            }
        }
        self.len -= most - left;
        if self.base == self.head {
            self.pages = VecDeque::new();
        }
    }

    /// The 32 bits of a position that routes and destinations store.
    pub(crate) fn stamp(position: u64) -> u32 {
        (position & 0xffff_ffff) as u32
    }

    /// The position of a stamp, held or not.
    pub(crate) fn stamped(&self, stamp: u32) -> u64 {
        self.head.saturating_sub(u64::from(Self::stamp(self.head).wrapping_sub(stamp)))
    }

    /// The position of a stamp, if it is not before the base. A stamp older than
    /// 2^32 changes can alias another one: the caller checks that the entry there is of its route.
    #[inline]
    pub(crate) fn position(&self, stamp: u32) -> Option<u64> {
        let distance = Self::stamp(self.head).wrapping_sub(stamp);
        let position = self.head.checked_sub(u64::from(distance))?;
        (position >= self.base && position < self.head).then_some(position)
    }

    /// The index of a position's page.
    #[inline]
    fn page(&self, position: u64) -> usize {
        let page = (position / JournalPage::POSITIONS).wrapping_sub(self.first);
        usize::try_from(page).unwrap_or(usize::MAX)
    }

    #[inline]
    fn edit(&mut self, position: u64, edit: impl FnOnce(&mut JournalEntry)) {
        let page = self.page(position);
        if let Some(page) = self.pages.get_mut(page) {
            page.edit(JournalPage::offset(position), edit);
        }
    }
}

/// How far apart two positions are; `TableBounds::journal_span` keeps that within 32 bits.
fn distance(from: u64, to: u64) -> u32 {
    u32::try_from(to - from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Position, route and the neighbours of the same destination.
    type Line = (u64, u32, Option<u64>, Option<u64>);

    fn lines(journal: &Journal) -> Vec<Line> {
        let held = |from: u64| journal.next_held(from);
        let positions = std::iter::successors(held(0), |&position| held(position + 1));
        let line = |at: u64| (at, journal.at(at).route, journal.prev(at), journal.next(at));
        positions.map(line).collect()
    }

    /// The expected lines, for routes that are the only ones of their destinations.
    fn expected(model: &BTreeMap<u64, u32>) -> Vec<Line> {
        let line = |(&at, &route): (&u64, &u32)| {
            let is_same = |(&at, &other): (&u64, &u32)| (other == route).then_some(at);
            let prev = model.range(..at).rev().find_map(is_same);
            let next = model.range(at + 1..).find_map(is_same);
            (at, route, prev, next)
        };
        model.iter().map(line).collect()
    }

    #[test]
    fn entries_come_at_one_end_and_go_at_the_other_and_between() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut journal = Journal::default();
        let mut model: BTreeMap<u64, u32> = BTreeMap::new();
        for step in 0..4000 {
            match random(if step % 500 < 400 { 8 } else { 12 }) {
                0..=4 => {
                    let route = u32::try_from(random(5)).unwrap();
                    let prev = model.iter().rev().find(|(_, other)| **other == route);
                    let prev = prev.map(|(at, _)| *at);
                    model.insert(journal.push(route, View::NOBODY, prev), route);
                }
                5..=7 => {
                    let at = journal.base() + random(journal.head() - journal.base() + 1);
                    if journal.get(at).is_some() {
                        journal.remove(at);
                    }
                    model.remove(&at);
                }
                _ => {
                    let end = journal.base() + random(10);
                    let most = usize::try_from(random(4)).unwrap();
                    let mut ending = Vec::new();
                    journal.forget(end, most, &mut ending);
                    let oldest: Vec<_> = model.range(..end).take(most).collect();
                    let oldest: Vec<_> = oldest.into_iter().map(|(&at, &it)| (at, it)).collect();
                    assert_eq!(ending, oldest);
                    model.retain(|at, _| !oldest.iter().any(|(old, _)| old == at));
                }
            }
            assert_eq!(journal.len(), model.len());
            let most = usize::try_from(random(20)).unwrap();
            let newest = journal.newest(most);
            assert_eq!(model.range(newest..).count(), most.min(model.len()));
            if step % 10 == 0 {
                assert_eq!(lines(&journal), expected(&model));
            }
        }
        journal.forget(u64::MAX, usize::MAX, &mut Vec::new());
        assert_eq!((journal.len(), journal.base()), (0, journal.head()));
        assert!(journal.pages.is_empty());
    }

    #[test]
    fn positions_far_apart_cost_little() {
        let mut journal = Journal::default();
        let kept = journal.push(1, View::NOBODY, None);
        for _ in 0..100_000 {
            let at = journal.push(2, View::NOBODY, None);
            journal.remove(at);
        }
        let last = journal.push(1, View::NOBODY, Some(kept));
        assert_eq!((journal.next(kept), journal.prev(last)), (Some(last), Some(kept)));
        assert_eq!(journal.next_held(kept + 1), Some(last));
        let room = |page: &JournalPage| match page {
            JournalPage::Dense { entries, .. } => entries.capacity(),
            JournalPage::Sparse { entries, .. } => entries.len(),
        };
        assert!(journal.pages.iter().map(room).sum::<usize>() <= 3 * 8);
    }
}
