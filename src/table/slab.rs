//! A slab whose pages never move once they are full.
//!
//! State: the values and a list of free places. A `Vec` that grows to a million routes copies tens
//! of megabytes at once, and every peer of the core waits for it; here growth allocates one page
//! and touches nothing else. Only the first page grows, so that small tables stay small.

/// Marks the absence of an index wherever one is stored in 32 bits.
pub(crate) const NONE: u32 = u32::MAX;

/// Values in a page.
const PAGE: usize = 4096;

/// Values of one kind addressed by a 32-bit index that stays valid until [`Slab::remove`].
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Vec<T>>,
    free: Vec<u32>,
    end: u32,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new(), end: 0 }
    }

    /// One past the highest index ever used: the bound of a walk over all places.
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// Number of values held.
    pub(crate) fn len(&self) -> usize {
        self.end as usize - self.free.len()
    }

    /// Stores a value and returns its index. The caller keeps at most `u32::MAX - 1` values, which
    /// the limits on routes guarantee long before memory does.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self[index] = value;
            return index;
        }
        let index = self.end;
        assert!(index < NONE, "a slab holds fewer than 2^32 - 1 values");
        let (page, _) = place(index);
        if page == self.pages.len() {
            self.pages.push(if page == 0 { Vec::new() } else { Vec::with_capacity(PAGE) });
        }
        self.pages[page].push(value);
        self.end += 1;
        index
    }

    /// Frees a place. Its value stays readable until the place is used again, so the value itself
    /// must say that it is no longer in use.
    pub(crate) fn remove(&mut self, index: u32) {
        self.free.push(index);
    }
}

/// Page and offset of an index.
#[inline]
fn place(index: u32) -> (usize, usize) {
    (index as usize / PAGE, index as usize % PAGE)
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        let (page, offset) = place(index);
        &self.pages[page][offset]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        let (page, offset) = place(index);
        &mut self.pages[page][offset]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_stay_put_while_pages_are_added() {
        let mut slab = Slab::new();
        for i in 0..10_000u32 {
            assert_eq!(slab.insert(i * 3), i);
        }
        assert!((0..10_000).all(|i| slab[i] == i * 3));
        slab.remove(77);
        assert_eq!(slab.len(), 9_999);
        assert_eq!(slab.insert(5), 77);
        assert_eq!(slab.insert(6), 10_000);
    }
}
