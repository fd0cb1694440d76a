//! A slab whose pages never move once they are full, and go when they are empty.
//!
//! State: the values in pages, and per page its free places, which are a list through the values
//! themselves. A `Vec` that grows to a million routes copies tens of megabytes at once, and every peer
//! of the core waits for it; here growth allocates one page and touches nothing else. Only the first
//! page grows, so that small tables stay small. New values go to the lowest page that has a free place,
//! so that the highest ones become empty.

use std::collections::BTreeSet;

/// Marks the absence of an index wherever one is stored in 32 bits.
pub(crate) const NONE: u32 = u32::MAX;

/// Values in a page.
const PAGE: usize = if cfg!(any(test, fuzzing)) { 64 } else { 4096 };

/// A value of a slab. A free value says so itself, and keeps a link for the slab.
pub(crate) trait Vacancy {
    /// Notes that this place is free; `next` is the next free place of its page.
    fn vacate(&mut self, next: u32);

    /// The link of a free place.
    fn next_vacant(&self) -> u32;
}

#[derive(Debug)]
struct Page<T> {
    /// The places used so far, free ones included; empty while no value is held.
    values: Vec<T>,
    /// The first free place, as an index of the slab.
    free: u32,
    held: u32,
}

impl<T> Page<T> {
    const EMPTY: Self = Self { values: Vec::new(), free: NONE, held: 0 };

    fn has_room(&self) -> bool {
        self.free != NONE || self.values.len() < PAGE
    }
}

/// Values of one kind addressed by a 32-bit index that stays valid until [`Slab::remove`].
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Page<T>>,
    /// Pages with room.
    roomy: BTreeSet<u32>,
    end: u32,
    len: usize,
}

impl<T: Vacancy> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new(), roomy: BTreeSet::new(), end: 0, len: 0 }
    }

    /// One past the highest index ever used: the bound of a walk over all places.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Number of values held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value at a place, which may be a free one; `None` when its page holds nothing.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (page, offset) = place(index);
        self.pages.get(page)?.values.get(offset)
    }

    /// Stores a value and returns its index. The caller keeps at most `u32::MAX - 1` values; the limits on
    /// routes ensure this long before memory does.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let number = self.roomy.first().copied().unwrap_or_else(|| {
            self.pages.push(Page::EMPTY);
            let number = to_u32(self.pages.len() - 1);
            self.roomy.insert(number);
            number
        });
        let page = &mut self.pages[number as usize];
        let index = if page.free == NONE {
            let offset = page.values.len();
            if offset == page.values.capacity() {
                let more = if number == 0 { offset.max(1) } else { PAGE };
                page.values.reserve_exact(more.min(PAGE - offset));
            }
            page.values.push(value);
            to_u32(number as usize * PAGE + offset)
        } else {
            let index = page.free;
            let slot = &mut page.values[place(index).1];
            page.free = slot.next_vacant();
            *slot = value;
            index
        };
        page.held += 1;
        if !page.has_room() {
            self.roomy.remove(&number);
        }
        self.len += 1;
        assert!(index < NONE, "a slab holds fewer than 2^32 - 1 values");
        self.end = self.end.max(index + 1);
        index
    }

    /// Frees a place. Its value stays readable, and says that it is free, until the place is used again or its page
    /// goes.
    pub(crate) fn remove(&mut self, index: u32) {
        let (number, offset) = place(index);
        let page = &mut self.pages[number];
        if !page.has_room() {
            self.roomy.insert(to_u32(number));
        }
        page.values[offset].vacate(page.free);
        page.free = index;
        page.held -= 1;
        self.len -= 1;
        // One page with room is kept, or a single value that comes and goes would make and free its page each time.
        if page.held == 0 && self.roomy.len() > 1 {
            *page = Page::EMPTY;
        }
    }
}

/// Page and offset of an index.
#[inline]
fn place(index: u32) -> (usize, usize) {
    (index as usize / PAGE, index as usize % PAGE)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE)
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        let (page, offset) = place(index);
        &self.pages[page].values[offset]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        let (page, offset) = place(index);
        &mut self.pages[page].values[offset]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Value {
        Held(u32),
        Free(u32),
    }

    impl Vacancy for Value {
        fn vacate(&mut self, next: u32) {
            *self = Self::Free(next);
        }

        fn next_vacant(&self) -> u32 {
            match *self {
                Self::Free(next) => next,
                Self::Held(_) => panic!("it is held"),
            }
        }
    }

    #[test]
    fn indices_stay_put_while_pages_are_added() {
        let mut slab = Slab::new();
        for i in 0..10_000u32 {
            assert_eq!(slab.insert(Value::Held(i * 3)), i);
        }
        assert!((0..10_000).all(|i| slab[i] == Value::Held(i * 3)));
        slab.remove(77);
        assert_eq!(slab.len(), 9_999);
        assert_eq!(slab.insert(Value::Held(5)), 77);
        assert_eq!(slab.insert(Value::Held(6)), 10_000);
    }

    #[test]
    fn pages_go_when_nothing_of_them_is_held_and_come_again() {
        let mut slab = Slab::new();
        let page = u32::try_from(PAGE).unwrap();
        let last = 5 * page + 3;
        for i in 0..=last {
            slab.insert(Value::Held(i));
        }
        for i in (0..last).rev() {
            slab.remove(i);
        }
        let pages = slab.pages.iter().filter(|page| page.values.capacity() > 0).count();
        assert!(pages <= 2, "{pages} pages for one value");
        assert_eq!(slab.get(2 * page), None);
        assert_eq!(slab[last], Value::Held(last));
        assert_eq!((slab.len(), slab.end()), (1, last + 1));
        let mut places: Vec<_> = (0..last + 7).map(|i| slab.insert(Value::Held(i))).collect();
        assert!((0..).zip(&places).all(|(i, &place)| slab[place] == Value::Held(i)));
        places.push(last);
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..last + 8), "every place is used once");
    }

    #[test]
    fn a_value_that_comes_and_goes_keeps_its_page() {
        let mut slab = Slab::new();
        for i in 0..100 {
            let place = slab.insert(Value::Held(i));
            assert_eq!(place, 0);
            slab.remove(place);
            assert!(slab.get(place).is_some());
        }
    }
}
