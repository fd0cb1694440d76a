//! Where something is, by its hash.
//!
//! State: per value its number and half of its hash, in segments of at most [`SLOTS_MAX`] slots. A lookup
//! reads one segment from the slot that the hash selects until the value or a free slot: one cache line,
//! nearly always. A table that needs more slots makes one segment larger by a quarter, or splits it in two,
//! and leaves the others alone; one that needs fewer gives them back the same way. So no change moves more
//! than one segment, however large the table is.
//!
//! Hashes fill all segments alike, so all would grow at nearly the same time, and one turn of a shard would make
//! hundreds of them larger. Each insertion therefore pays for some slots, and a segment whose growth is not paid for
//! yet waits, and becomes fuller meanwhile.
//!
//! Resident cost: 10 to 13 bytes a value. An index of nothing has allocated nothing.

/// The largest number of slots of a segment: 32 KiB are moved within some 10 microseconds.
const SLOTS_MAX: usize = 4096;
/// The smallest number of slots of a segment with values.
const SLOTS_MIN: usize = 4;
/// A segment with at least this many slots grows by a quarter: allocators have these sizes, too.
const QUARTERS: usize = 32;
/// The largest number of hash bits that select the segment. The other bits must tell slots apart.
const DEPTH_MAX: u32 = 20;
/// The number of slots for which an insertion pays. Growth moves 7 to 10 slots for each insertion.
const CREDIT: usize = 16;
/// The largest credit: four of the largest segments may grow one directly after the other.
const CREDIT_MAX: usize = 4 * SLOTS_MAX;
/// An empty slot. No value has the number [`u32::MAX`].
const EMPTY: u64 = u64::MAX;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::table) struct Index {
    /// The segment for each value of the highest `depth` bits of a hash.
    directory: Vec<u32>,
    depth: u32,
    segments: Vec<Segment>,
    /// The number of slots that growth may move without having to wait.
    credit: usize,
}

/// The slot that a hash selects.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::table) struct SlotAddress {
    segment: u32,
    slot: u32,
}

/// The content of a slot.
#[derive(Clone, Copy, Debug)]
pub(in crate::table) struct First(u64);

impl First {
    /// An empty slot.
    pub(in crate::table) const NONE: Self = Self(EMPTY);
}

#[derive(Debug, Default)]
struct Segment {
    /// The half of the hash above the number, or [`EMPTY`]. The place of the slot that a hash selects in the segment is
    /// in proportion to the place of the hash in the segment's range of hashes. A value that finds its slot occupied
    /// takes one of the slots behind it.
    slots: Box<[u64]>,
    used: u32,
    /// The number of highest bits that are the same for all its values.
    depth: u32,
}

impl Index {
    /// An empty index.
    pub(in crate::table) const fn new() -> Self {
        Self { directory: Vec::new(), depth: 0, segments: Vec::new(), credit: 0 }
    }

    /// The number with this hash that `is` accepts.
    #[inline]
    pub(in crate::table) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let half = half(hash);
        let segment = self.segments.get(self.segment(half))?;
        segment.find(segment.home(half), half, is)
    }

    /// The address of the slot that a hash selects.
    #[inline]
    pub(in crate::table) fn place(&self, hash: u64) -> SlotAddress {
        let half = half(hash);
        let segment = self.segment(half);
        let slot = self.segments.get(segment).map_or(0, |segment| segment.home(half));
        SlotAddress { segment: to_u32(segment), slot: to_u32(slot) }
    }

    /// The content of a slot. Few instructions, and no branch that depends on the content: so the contents for many
    /// hashes are on their way from memory at the same time.
    #[inline]
    pub(in crate::table) fn first(&self, place: SlotAddress) -> First {
        let segment = self.segments.get(place.segment as usize);
        let slot = segment.and_then(|segment| segment.slots.get(place.slot as usize));
        First(slot.copied().unwrap_or(EMPTY))
    }

    /// The first number with this half of a hash, which is nearly always the searched one. `place` and
    /// `first` are of this hash.
    #[inline]
    pub(in crate::table) fn candidate(
        &self,
        hash: u64,
        place: SlotAddress,
        First(slot): First,
    ) -> Option<u32> {
        if slot == EMPTY {
            return None;
        }
        if high(slot) == half(hash) {
            return Some(low(slot));
        }
        let segment = self.segments.get(place.segment as usize)?;
        segment.find(segment.after(place.slot as usize), half(hash), |_| true)
    }

    /// Adds a number that is not there yet.
    pub(in crate::table) fn insert(&mut self, hash: u64, number: u32) {
        if self.segments.is_empty() {
            self.directory.push(0);
            self.segments.push(Segment::default());
        }
        let half = half(hash);
        self.credit = (self.credit + CREDIT).min(CREDIT_MAX);
        loop {
            let at = self.segment(half);
            let segment = &mut self.segments[at];
            let cost = segment.slots.len();
            if segment.has_room() || (self.credit < cost && segment.can_wait()) {
                segment.put(slot(half, number));
                return;
            }
            self.credit = self.credit.saturating_sub(cost);
            if segment.slots.len() < SLOTS_MAX || segment.depth >= DEPTH_MAX {
                segment.resize(larger(segment.slots.len()));
            } else {
                self.split(at);
            }
        }
    }

    /// Removes a number; harmless when it is not there.
    pub(in crate::table) fn remove(&mut self, hash: u64, number: u32) {
        let half = half(hash);
        let at = self.segment(half);
        let Some(segment) = self.segments.get_mut(at) else { return };
        segment.take(slot(half, number));
        let used = segment.used as usize;
        if 4 * used < segment.slots.len() && (used == 0 || segment.slots.len() > SLOTS_MIN) {
            segment.resize(size_for(used));
        }
    }

    #[inline]
    fn segment(&self, half: u32) -> usize {
        // In 64 bits, where a shift by 32 is allowed.
        let at = u64::from(half) >> (32 - self.depth);
        let segment = self.directory.get(usize::try_from(at).unwrap_or(0));
        segment.map_or(usize::MAX, |&segment| segment as usize)
    }

    /// Moves the values of a segment with the next bit set into a new segment.
    fn split(&mut self, segment: usize) {
        let depth = self.segments[segment].depth;
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|&segment| [segment; 2]).collect();
            self.depth += 1;
        }
        let old = std::mem::take(&mut self.segments[segment].slots);
        let bit = 1 << (31 - depth);
        let is_upper = |slot: &u64| high(*slot) & bit != 0;
        let (upper, lower): (Vec<u64>, Vec<u64>) =
            old.into_iter().filter(|slot| *slot != EMPTY).partition(is_upper);
        self.segments[segment] = Segment::of(&lower, depth + 1);
        let number = self.segments.len();
        self.segments.push(Segment::of(&upper, depth + 1));
        let bit = 1 << (self.depth - depth - 1);
        let (old, new) = (to_u32(segment), to_u32(number));
        for (at, entry) in self.directory.iter_mut().enumerate() {
            if *entry == old && at & bit != 0 {
                *entry = new;
            }
        }
    }
}

impl Segment {
    /// A segment with these contents of slots.
    fn of(contents: &[u64], depth: u32) -> Self {
        let slots = vec![EMPTY; size_for(contents.len())].into();
        let mut segment = Self { slots, used: 0, depth };
        contents.iter().for_each(|&slot| segment.put(slot));
        segment
    }

    /// Whether a fifth of the slots stays free with one more value.
    #[inline]
    fn has_room(&self) -> bool {
        5 * (self.used as usize + 1) <= 4 * self.slots.len()
    }

    /// Whether a sixteenth of the slots stays free with one more value: lookups look at more slots then, but only few.
    #[inline]
    fn can_wait(&self) -> bool {
        16 * (self.used as usize + 1) <= 15 * self.slots.len()
    }

    /// The first number, from slot `at` on, with this half of a hash that `is` accepts.
    #[inline]
    fn find(&self, mut at: usize, half: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        loop {
            // No slot at all in an empty segment; any other segment has a free slot.
            let slot = *self.slots.get(at)?;
            if slot == EMPTY {
                return None;
            }
            if high(slot) == half && is(low(slot)) {
                return Some(low(slot));
            }
            at = self.after(at);
        }
    }

    /// The slot that a hash selects.
    #[inline]
    fn home(&self, half: u32) -> usize {
        let share = u64::from(half << self.depth);
        usize::try_from((share * self.slots.len() as u64) >> 32).unwrap_or(0)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// The number of slots from one slot to a later one, across the end if need be.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }

    /// Adds a slot's content; there is a free slot.
    fn put(&mut self, slot: u64) {
        let mut at = self.home(high(slot));
        while self.slots[at] != EMPTY {
            at = self.after(at);
        }
        self.slots[at] = slot;
        self.used += 1;
    }

    /// Removes a slot's content, and moves up contents behind it that would not be found any more.
    fn take(&mut self, slot: u64) {
        if self.used == 0 {
            return;
        }
        let mut at = self.home(high(slot));
        while self.slots[at] != slot {
            if self.slots[at] == EMPTY {
                return;
            }
            at = self.after(at);
        }
        self.used -= 1;
        let mut hole = at;
        loop {
            at = self.after(at);
            let next = self.slots[at];
            if next == EMPTY {
                break;
            }
            let home = self.home(high(next));
            if self.distance(home, at) >= self.distance(hole, at) {
                self.slots[hole] = next;
                hole = at;
            }
        }
        self.slots[hole] = EMPTY;
    }

    fn resize(&mut self, slots: usize) {
        let slots = vec![EMPTY; slots].into();
        let old = std::mem::replace(self, Self { slots, used: 0, depth: self.depth });
        for slot in old.slots.into_iter().filter(|slot| *slot != EMPTY) {
            self.put(slot);
        }
    }
}

/// The next size of a segment.
fn larger(slots: usize) -> usize {
    if slots < QUARTERS { (2 * slots).max(SLOTS_MIN) } else { slots + (1 << slots.ilog2()) / 4 }
}

/// The smallest size for this number of values and some more.
fn size_for(values: usize) -> usize {
    let mut slots = 0;
    while 3 * slots < 4 * values {
        slots = larger(slots);
    }
    slots
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The half of a hash that a slot keeps.
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
    (slot & 0xffff_ffff) as u32
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
        let candidate = |index: &Index, number| {
            let hash = hash(number);
            let place = index.place(hash);
            index.candidate(hash, place, index.first(place))
        };
        let first = |index: &Index, number| index.find(hash(number), |_| true);
        assert!((0..count).all(|number| candidate(&index, number) == first(&index, number)));
        for number in 0..count {
            index.remove(hash(number), number);
        }
        assert!(index.segments.iter().all(|segment| segment.slots.is_empty()), "slots are left");
    }

    /// The memory per value must not depend on the number of values.
    #[test]
    fn slots_are_few_at_any_number_of_values() {
        let mut index = Index::new();
        for number in 0..500_000u32 {
            index.insert(hash(number), number);
            let values = number as usize + 1;
            if values >= 1000 && values.is_multiple_of(997) {
                let slots: usize = index.segments.iter().map(|segment| segment.slots.len()).sum();
                assert!(10 * slots <= 17 * values, "{slots} slots for {values} values");
            }
        }
    }

    /// All segments fill alike, but few grow at the same time.
    #[test]
    fn growth_is_spread_over_insertions() {
        let mut index = Index::new();
        let sizes =
            |index: &Index| -> usize { index.segments.iter().map(|it| it.slots.len()).sum() };
        let (mut before, mut most) = (0, 0);
        let turn = 2048;
        for number in 0..400_000u32 {
            index.insert(hash(number), number);
            if (number + 1).is_multiple_of(turn) {
                let now = sizes(&index);
                most = most.max((now - before) / (SLOTS_MAX / 4));
                before = now;
            }
        }
        let segments = index.segments.len();
        assert!(most <= 20 && segments > 4 * most, "{most} of {segments} segments grew in a turn");
    }

    #[test]
    fn hashes_that_fall_together_cost_time_and_lose_nothing() {
        let mut index = Index::new();
        let mut held = BTreeMap::new();
        // A few hashes that all select the last slot of a segment, so that the values go on at its beginning.
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
