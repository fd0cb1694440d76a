//! The next hops of one VNI, each stored once.
//!
//! State: next hops with the number of routes that use each, and an index by value. A data centre
//! has far fewer hypervisors than routes, so a route keeps four bytes instead of thirty-two.

use ahash::RandomState;
use hashbrown::HashTable;

use super::slab::{NONE, Slab};
use crate::wire::NextHop;

#[derive(Clone, Copy, Debug)]
struct Shared {
    hop: NextHop,
    routes: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct NextHops {
    hops: Slab<Shared>,
    index: HashTable<u32>,
    /// The one looked up last: publishers mostly announce runs of the same.
    recent: u32,
    hasher: RandomState,
}

impl NextHops {
    pub(crate) fn new(hasher: RandomState) -> Self {
        Self { hops: Slab::new(), index: HashTable::new(), recent: NONE, hasher }
    }

    /// Different next hops.
    pub(crate) fn len(&self) -> usize {
        self.hops.len()
    }

    pub(crate) fn get(&self, id: u32) -> &NextHop {
        &self.hops[id].hop
    }

    /// The id of a next hop that some route uses.
    pub(crate) fn find(&mut self, hop: &NextHop) -> Option<u32> {
        if self.recent != NONE && self.hops[self.recent].hop == *hop {
            return Some(self.recent);
        }
        let hash = self.hasher.hash_one(hop);
        let id = *self.index.find(hash, |&id| self.hops[id].hop == *hop)?;
        self.recent = id;
        Some(id)
    }

    /// The id of a next hop, for one more route.
    pub(crate) fn acquire(&mut self, hop: &NextHop) -> u32 {
        let id = match self.find(hop) {
            Some(id) => id,
            None => {
                let id = self.hops.insert(Shared { hop: *hop, routes: 0 });
                let hash = self.hasher.hash_one(hop);
                self.index.insert_unique(hash, id, |&id| self.hasher.hash_one(self.hops[id].hop));
                self.recent = id;
                id
            }
        };
        self.hops[id].routes += 1;
        id
    }

    /// One route fewer uses this next hop.
    pub(crate) fn release(&mut self, id: u32) {
        let shared = &mut self.hops[id];
        shared.routes -= 1;
        if shared.routes > 0 {
            return;
        }
        let hash = self.hasher.hash_one(shared.hop);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        if self.recent == id {
            self.recent = NONE;
        }
        self.hops.remove(id);
    }
}
