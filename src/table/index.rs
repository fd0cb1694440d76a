//! Where a destination is, by its hash.
//!
//! State: per destination its number and half of its hash, so that growing moves eight bytes an entry
//! and looks at no destination: those of a large table are in no cache, and a look at each of them
//! was a third of what loading it costs.
//!
//! It is cut into parts once it is large: growing a hash table of a million entries at once would
//! stall every peer of the core.

use hashbrown::HashTable;

/// Entries at which it is cut up, and into how many parts.
const SPLIT_AT: usize = 8192;
const PARTS: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    number: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Index {
    parts: Vec<HashTable<Entry>>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { parts: vec![HashTable::new()] }
    }

    /// The number with this hash that `is` says it is.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = half(hash);
        let part = &self.parts[self.part(hash)];
        part.find(whole(hash), |entry| entry.hash == hash && is(entry.number))
            .map(|entry| entry.number)
    }

    /// Adds a number that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        if self.parts.len() == 1 && self.parts[0].len() >= SPLIT_AT {
            let all = std::mem::take(&mut self.parts[0]);
            self.parts.resize_with(PARTS, HashTable::new);
            for entry in all {
                self.put(entry);
            }
        }
        self.put(Entry { hash: half(hash), number });
    }

    /// Takes a number out; nothing happens when it is not there.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        let hash = half(hash);
        let part = self.part(hash);
        let is = |entry: &Entry| entry.number == number;
        if let Ok(found) = self.parts[part].find_entry(whole(hash), is) {
            found.remove();
        }
    }

    fn put(&mut self, entry: Entry) {
        let part = self.part(entry.hash);
        self.parts[part].insert_unique(whole(entry.hash), entry, |entry| whole(entry.hash));
    }

    fn part(&self, hash: u32) -> usize {
        if self.parts.len() == 1 { 0 } else { (hash >> 19) as usize % PARTS }
    }
}

/// The half of a hash that is kept.
fn half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// What the parts are told: they take its lowest bits for the place, the highest seven to tell
/// entries apart, and [`Index::part`] those in between.
fn whole(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
