//! A page of a journal: the entries of so many positions.
//!
//! State: one entry for each position, or, once most of a full page have been taken out, only those that
//! are left, each with its offset.

use std::ops::Range;

use super::view::JournalEntry;

/// See the module's documentation.
#[derive(Debug)]
pub(super) enum JournalPage {
    /// Entries from the offset `start` on. A removed entry is [`JournalEntry::NOTHING`].
    Dense { start: u16, held: u16, entries: Vec<JournalEntry> },
    /// Ascending by offset.
    Sparse { held: u16, entries: Box<[(u16, JournalEntry)]> },
}

impl JournalPage {
    /// The number of positions in a page.
    pub(super) const POSITIONS: u64 = if cfg!(any(test, fuzzing)) { 8 } else { 1024 };

    /// The first page of a journal: it grows, so that a journal with few entries stays small.
    pub(super) fn beginning_at(offset: u16) -> Self {
        Self::Dense { start: offset, held: 0, entries: Vec::new() }
    }

    /// A page that follows another one.
    pub(super) fn after_another() -> Self {
        let capacity = usize::try_from(Self::POSITIONS).unwrap_or(0);
        Self::Dense { start: 0, held: 0, entries: Vec::with_capacity(capacity) }
    }

    /// The number of entries held.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Dense { held, .. } | Self::Sparse { held, .. } => usize::from(*held),
        }
    }

    /// The offset of a position in its page.
    #[inline]
    pub(super) fn offset(position: u64) -> u16 {
        u16::try_from(position % Self::POSITIONS).unwrap_or(0)
    }

    #[inline]
    pub(super) fn get(&self, offset: u16) -> Option<JournalEntry> {
        let entry = match self {
            Self::Dense { start, entries, .. } => {
                entries.get(usize::from(offset.checked_sub(*start)?))
            }
            Self::Sparse { entries, .. } => {
                let at = entries.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
                entries.get(at).map(|(_, entry)| entry)
            }
        };
        entry.copied().filter(|entry| !entry.is_nothing())
    }

    /// Changes an entry, if it is held.
    #[inline]
    pub(super) fn edit(&mut self, offset: u16, edit: impl FnOnce(&mut JournalEntry)) {
        if let Some(entry) = self.get_mut(offset) {
            edit(entry);
        }
    }

    /// The entries from an offset on, if all are in one piece.
    #[inline]
    pub(super) fn run(&self, offset: u16) -> &[JournalEntry] {
        let Self::Dense { start, entries, .. } = self else { return &[] };
        let rest = offset.checked_sub(*start).and_then(|at| entries.get(usize::from(at)..));
        rest.unwrap_or_default()
    }

    /// The entries at some offsets, in order. The page's count still includes them.
    #[inline]
    pub(super) fn within(&self, offsets: Range<u64>) -> impl Iterator<Item = (u64, &JournalEntry)> {
        let Range { start: from, end } = offsets;
        let (first, dense, sparse) = match self {
            Self::Dense { start, entries, .. } => {
                let first = from.max(u64::from(*start));
                let at = usize::try_from(first - u64::from(*start)).unwrap_or(usize::MAX);
                (first, entries.get(at..).unwrap_or_default(), &[][..])
            }
            Self::Sparse { entries, .. } => {
                let place = |end: u64| entries.partition_point(|(at, _)| u64::from(*at) < end);
                (0, &[][..], &entries[place(from)..place(end)])
            }
        };
        let dense = (first..end).zip(dense);
        let sparse = sparse.iter().map(|(offset, entry)| (u64::from(*offset), entry));
        dense.chain(sparse).filter(|(_, entry)| !entry.is_nothing())
    }

    /// The entry at an offset; it may be a removed one.
    #[inline]
    pub(super) fn get_mut(&mut self, offset: u16) -> Option<&mut JournalEntry> {
        match self {
            Self::Dense { start, entries, .. } => {
                entries.get_mut(usize::from(offset.checked_sub(*start)?))
            }
            Self::Sparse { entries, .. } => {
                let at = entries.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
                entries.get_mut(at).map(|(_, entry)| entry)
            }
        }
    }

    /// The first offset from `offset` on that has an entry.
    pub(super) fn next_held(&self, offset: u16) -> Option<u16> {
        match self {
            Self::Dense { start, entries, .. } => {
                let from = offset.max(*start);
                let rest = entries.get(usize::from(from - start)..)?;
                let found = (from..).zip(rest).find(|(_, entry)| !entry.is_nothing());
                found.map(|(offset, _)| offset)
            }
            Self::Sparse { entries, .. } => {
                let from = entries.partition_point(|(at, _)| *at < offset);
                let found = entries[from..].iter().find(|(_, entry)| !entry.is_nothing());
                found.map(|(offset, _)| *offset)
            }
        }
    }

    /// Appends the entry of the next position. The page is not full.
    #[inline]
    pub(super) fn push(&mut self, entry: JournalEntry) {
        if let Self::Dense { held, entries, .. } = self {
            entries.push(entry);
            *held += 1;
        }
    }

    /// Removes an entry. When a page has lost half of the entries of a full page, it gives their memory back.
    pub(super) fn remove(&mut self, offset: u16) {
        self.edit(offset, |entry| *entry = JournalEntry::NOTHING);
        let (held, room) = match self {
            Self::Dense { start, held, entries } => {
                *held = held.saturating_sub(1);
                let is_full = u64::from(*start) + entries.len() as u64 == Self::POSITIONS;
                (*held, if is_full { entries.len() } else { 0 })
            }
            Self::Sparse { held, entries } => {
                *held = held.saturating_sub(1);
                (*held, entries.len())
            }
        };
        if 2 * usize::from(held) <= room && room > 0 {
            let entries: Box<[_]> = self.entries().collect();
            *self = Self::Sparse { held, entries };
        }
    }

    /// The held entries, by offset.
    fn entries(&self) -> impl Iterator<Item = (u16, JournalEntry)> + '_ {
        let mut next = self.next_held(0);
        std::iter::from_fn(move || {
            let offset = next?;
            next = offset.checked_add(1).and_then(|offset| self.next_held(offset));
            Some((offset, self.get(offset)?))
        })
    }
}
