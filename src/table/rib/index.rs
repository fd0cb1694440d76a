//! Where something is, by its hash.
//!
//! State: per value its number and half of its hash, in segments of at most [`SLOTS_MAX`] slots. A lookup
//! reads one segment from the slot that the hash selects until the value or a free slot: one cache line,
//! nearly always. A table that needs more slots splits one segment in two and leaves the others alone, so
//! no insertion moves more than one segment, however large the table is.
//!
//! Resident cost: 10 to 21 bytes a value; 64 bytes for a table with few.

/// Slots of a segment, at most: 32 KiB are split within some 10 microseconds.
const SLOTS_MAX: usize = 4096;
/// Slots of the first segment at first.
const SLOTS_MIN: usize = 8;
/// Bits of a hash that select the segment, at most. The others must tell slots apart.
const DEPTH_MAX: u32 = 20;
/// A slot that holds nothing. No value has the number [`u32::MAX`].
const EMPTY: u64 = u64::MAX;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::table) struct Index {
    /// The segment for each value of the highest `depth` bits of a hash.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    /// A power of two of them: the half of the hash above the number. Neighbours of the slot that the
    /// hash's lowest bits select take what finds it occupied.
    slots: Vec<u64>,
    used: usize,
    /// How many of the highest bits are the same for all its values.
    depth: u32,
}

impl Index {
    /// An index of nothing, which allocates a few words only.
    pub(in crate::table) fn new() -> Self {
        let first = Segment { slots: Vec::new(), used: 0, depth: 0 };
        Self { directory: vec![0], depth: 0, segments: vec![first] }
    }

    /// The number with this hash that `is` says it is.
    #[inline]
    pub(in crate::table) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let half = half(hash);
        let segment = &self.segments[self.segment(half)];
        let mask = segment.slots.len().checked_sub(1)?;
        let mut at = half as usize & mask;
        loop {
            let slot = segment.slots[at];
            if slot == EMPTY {
                return None;
            }
            if high(slot) == half && is(low(slot)) {
                return Some(low(slot));
            }
            at = (at + 1) & mask;
        }
    }

    /// The first number with this half of a hash, which is nearly always the one that is looked for.
    #[inline]
    pub(in crate::table) fn candidate(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Adds a number that is not there yet.
    pub(in crate::table) fn insert(&mut self, hash: u64, number: u32) {
        let half = half(hash);
        loop {
            let segment = self.segment(half);
            let Segment { slots, used, depth } = &self.segments[segment];
            if 4 * (used + 1) <= 3 * slots.len() {
                self.segments[segment].put(slot(half, number));
                return;
            }
            if slots.len() < SLOTS_MAX || *depth >= DEPTH_MAX {
                self.segments[segment].grow();
            } else {
                self.split(segment);
            }
        }
    }

    /// Takes a number out; nothing happens when it is not there.
    pub(in crate::table) fn remove(&mut self, hash: u64, number: u32) {
        let half = half(hash);
        let segment = self.segment(half);
        self.segments[segment].take(slot(half, number));
    }

    #[inline]
    fn segment(&self, half: u32) -> usize {
        // In 64 bits, where a shift by 32 is one.
        let at = u64::from(half) >> (32 - self.depth);
        self.directory[usize::try_from(at).unwrap_or(0)] as usize
    }

    /// Moves the values of a segment whose next bit is set into a segment of their own.
    fn split(&mut self, segment: usize) {
        let depth = self.segments[segment].depth;
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&segment| [segment; 2]).collect();
            self.depth += 1;
        }
        let old = std::mem::take(&mut self.segments[segment].slots);
        self.segments[segment] = Segment::with_slots(old.len(), depth + 1);
        let upper = self.segments.len();
        self.segments.push(Segment::with_slots(old.len(), depth + 1));
        let bit = 1 << (31 - depth);
        for slot in old.into_iter().filter(|slot| *slot != EMPTY) {
            let to = if high(slot) & bit == 0 { segment } else { upper };
            self.segments[to].put(slot);
        }
        let number = u32::try_from(segment).unwrap_or(u32::MAX);
        let bit = 1 << (self.depth - depth - 1);
        for (at, entry) in self.directory.iter_mut().enumerate() {
            if *entry == number && at & bit != 0 {
                *entry = u32::try_from(upper).unwrap_or(u32::MAX);
            }
        }
    }
}

impl Segment {
    fn with_slots(slots: usize, depth: u32) -> Self {
        Self { slots: vec![EMPTY; slots], used: 0, depth }
    }

    /// Adds a slot's content; there is a free slot.
    fn put(&mut self, slot: u64) {
        let mask = self.slots.len() - 1;
        let mut at = high(slot) as usize & mask;
        while self.slots[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
        self.used += 1;
    }

    /// Takes a slot's content out, and moves those behind it up that would not be found any more.
    fn take(&mut self, slot: u64) {
        let Some(mask) = self.slots.len().checked_sub(1) else { return };
        let mut at = high(slot) as usize & mask;
        while self.slots[at] != slot {
            if self.slots[at] == EMPTY {
                return;
            }
            at = (at + 1) & mask;
        }
        self.used -= 1;
        let mut hole = at;
        loop {
            at = (at + 1) & mask;
            let next = self.slots[at];
            if next == EMPTY {
                break;
            }
            let home = high(next) as usize & mask;
            // How far it is from its home, and how far it would be from there to the hole.
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots[hole] = next;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
    }

    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(SLOTS_MIN);
        let old = std::mem::take(self);
        *self = Self::with_slots(slots, old.depth);
        for slot in old.slots.into_iter().filter(|slot| *slot != EMPTY) {
            self.put(slot);
        }
    }
}

/// The half of a hash that is kept.
#[inline]
fn half(hash: u64) -> u32 {
    high(hash)
}

#[inline]
fn slot(half: u32, number: u32) -> u64 {
    u64::from(half) << 32 | u64::from(number)
}

#[inline]
fn high(slot: u64) -> u32 {
    (slot >> 32) as u32
}

#[inline]
fn low(slot: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the number is the low half")]
    let low = slot as u32;
    low
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A hash for each number; numbers that differ in a few bits only must not fall together.
    fn hash(number: u32) -> u64 {
        u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out() {
        let mut index = Index::new();
        let count = 50_000;
        for number in 0..count {
            assert_eq!(index.find(hash(number), |n| n == number), None);
            index.insert(hash(number), number);
        }
        assert!(index.segments.len() > 8, "{} segments", index.segments.len());
        for number in (0..count).step_by(3) {
            index.remove(hash(number), number);
            index.remove(hash(number), number);
        }
        for number in 0..count {
            let expected = (number % 3 != 0).then_some(number);
            assert_eq!(index.find(hash(number), |n| n == number), expected);
        }
        assert!((0..count).all(|number| index.candidate(hash(number)) != Some(u32::MAX)));
    }

    #[test]
    fn hashes_that_fall_together_cost_time_and_lose_nothing() {
        let mut index = Index::new();
        let mut held = BTreeMap::new();
        // All of one slot, across the end of a segment, in a few hashes.
        for number in 0..6000u32 {
            let hash = u64::from(u32::MAX - number % 3) << 32;
            index.insert(hash, number);
            held.insert(number, hash);
            if number % 2 == 1 {
                index.remove(held[&(number / 2)], number / 2);
                held.remove(&(number / 2));
            }
        }
        for number in 0..6000 {
            let expected = held.get(&number).map(|_| number);
            let hash = u64::from(u32::MAX - number % 3) << 32;
            assert_eq!(index.find(hash, |n| n == number), expected);
        }
    }
}
