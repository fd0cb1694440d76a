//! The order in which one VNI's routes changed.
//!
//! State: for each change of a route's [`View`], which route, what the view was *before*, and links
//! to the neighbouring changes of the same destination. Positions count changes since the VNI
//! began and never repeat. The journal is what lets a peer that fell behind be held as one number:
//! the state it knows is the state at that position, and what it lacks can be derived exactly.
//!
//! Bounds: entries live until no cursor and no queued batch starts before them (see
//! `Vnet::trim`); a VNI whose peers keep up holds a few batches' worth.

use std::collections::VecDeque;

/// Entries for which an empty journal keeps room.
const KEPT: usize = 4096;

/// What a route looks like to subscribers: who, if anybody, is its only announcer.
///
/// Peer *s* has the route in its view when some peer other than *s* announces it (protocol.md,
/// section 3), which these three cases decide without looking at the announcers themselves.
/// The top bit says whether some announcer is no server: servers see only such routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View(u32);

const CLIENT: u32 = 1 << 31;
const MANY: u32 = 1;

impl View {
    /// Nobody announces it.
    pub(crate) const NOBODY: Self = Self(0);

    /// Exactly one member announces it.
    pub(crate) fn sole(member: u32, is_server: bool) -> Self {
        Self((member + 2) | if is_server { 0 } else { CLIENT })
    }

    /// Two or more members announce it.
    pub(crate) fn many(any_client: bool) -> Self {
        Self(MANY | if any_client { CLIENT } else { 0 })
    }

    /// Whether anybody announces it.
    pub(crate) fn is_announced(self) -> bool {
        self != Self::NOBODY
    }

    /// Whether someone who is no server announces it.
    pub(crate) fn has_client(self) -> bool {
        self.0 & CLIENT != 0
    }

    /// The only announcer, when there is exactly one.
    pub(crate) fn sole_member(self) -> Option<u32> {
        (self.0 & !CLIENT).checked_sub(2)
    }
}

/// One change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) route: u32,
    pub(crate) before: View,
    /// Distance to the previous change of the same destination, 0 for none.
    prev: u32,
    /// Distance to the next change of the same destination, 0 for none so far.
    next: u32,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    base: u64,
    entries: VecDeque<Entry>,
}

impl Journal {
    /// An empty journal whose first change has this position.
    pub(crate) fn beginning_at(base: u64) -> Self {
        Self { base, entries: VecDeque::new() }
    }

    /// The oldest position held.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// One past the newest position: the position of the next change.
    pub(crate) fn head(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry at a position in `base..head`.
    pub(crate) fn at(&self, position: u64) -> Entry {
        self.entries[self.index(position)]
    }

    /// The previous change of the same destination, if the journal still holds it.
    pub(crate) fn prev(&self, position: u64) -> Option<u64> {
        let prev = position.checked_sub(u64::from(self.at(position).prev))?;
        (prev != position && prev >= self.base).then_some(prev)
    }

    /// The next change of the same destination, if there was one.
    pub(crate) fn next(&self, position: u64) -> Option<u64> {
        let distance = self.at(position).next;
        (distance != 0).then_some(position + u64::from(distance))
    }

    /// Appends a change whose destination last changed at `prev`.
    pub(crate) fn push(&mut self, route: u32, before: View, prev: Option<u64>) -> u64 {
        let position = self.head();
        let distance = prev
            .filter(|&p| p >= self.base)
            .and_then(|p| u32::try_from(position - p).ok().map(|distance| (p, distance)));
        if let Some((p, distance)) = distance {
            let index = self.index(p);
            self.entries[index].next = distance;
        }
        let prev = distance.map_or(0, |(_, distance)| distance);
        self.entries.push_back(Entry { route, before, prev, next: 0 });
        position
    }

    /// Drops the oldest entry when it lies before `end`.
    pub(crate) fn pop_before(&mut self, end: u64) -> Option<(u64, Entry)> {
        if self.base >= end {
            return None;
        }
        let entry = self.entries.pop_front()?;
        let position = self.base;
        self.base += 1;
        Some((position, entry))
    }

    /// Gives back memory that a burst has left behind. Not after every batch: the next one would
    /// ask the kernel for it again, page by page.
    pub(crate) fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
    }

    /// A position as the 32 bits that routes and destinations keep of it.
    pub(crate) fn stamp(position: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "a stamp is the low half by design")]
        let low = position as u32;
        low
    }

    /// The position that a stamp stands for, if it is one the journal holds. A stamp older than
    /// 2^32 changes can alias one: the caller checks that the entry there is its own.
    pub(crate) fn position(&self, stamp: u32) -> Option<u64> {
        let head = self.head();
        let distance = Self::stamp(head).wrapping_sub(stamp);
        let position = head.checked_sub(u64::from(distance))?;
        (position >= self.base && position < head).then_some(position)
    }

    fn index(&self, position: u64) -> usize {
        usize::try_from(position - self.base).unwrap_or(usize::MAX)
    }
}
