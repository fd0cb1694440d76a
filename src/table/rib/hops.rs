//! What next hops say beside their address: the VNI at the target, the type, the ports.
//!
//! State: each combination once, with the number of routes that use it. Nearly all next hops are plain,
//! which is number 0 and needs no room here.

use ahash::RandomState;

use super::index::Index;
use crate::table::slab::{Slab, Vacancy};
use crate::wire::HopFields;

/// The number of plain next hops.
pub(super) const PLAIN: u32 = 0;

#[derive(Clone, Copy, Debug)]
struct Shared {
    fields: HopFields,
    routes: u32,
}

impl Vacancy for Shared {
    fn vacate(&mut self, next: u32) {
        self.routes = next;
    }

    fn next_vacant(&self) -> u32 {
        self.routes
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct HopTable {
    shared: Slab<Shared>,
    index: Index,
    hasher: RandomState,
}

impl HopTable {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { shared: Slab::new(), index: Index::new(), hasher }
    }

    /// The fields with a number that a route uses.
    #[inline]
    pub(super) fn get(&self, number: u32) -> HopFields {
        if number == PLAIN { HopFields::PLAIN } else { self.shared[number - 1].fields }
    }

    /// The number of these fields, for one more route.
    pub(super) fn acquire(&mut self, fields: &HopFields) -> u32 {
        if *fields == HopFields::PLAIN {
            return PLAIN;
        }
        let number = self.find_unusual(fields).unwrap_or_else(|| {
            let at = self.shared.insert(Shared { fields: *fields, routes: 0 });
            self.index.insert(self.hasher.hash_one(fields), at);
            at + 1
        });
        self.shared[number - 1].routes += 1;
        number
    }

    /// One route fewer uses these fields.
    pub(super) fn release(&mut self, number: u32) {
        if number == PLAIN {
            return;
        }
        let shared = &mut self.shared[number - 1];
        shared.routes -= 1;
        if shared.routes == 0 {
            self.index.remove(self.hasher.hash_one(shared.fields), number - 1);
            self.shared.remove(number - 1);
        }
    }

    #[cold]
    fn find_unusual(&self, fields: &HopFields) -> Option<u32> {
        let hash = self.hasher.hash_one(fields);
        self.index.find(hash, |at| self.shared[at].fields == *fields).map(|at| at + 1)
    }
}
