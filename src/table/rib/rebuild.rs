//! A RIB is filled with what another one held, in the order of its places.

use smallvec::SmallVec;

use super::entry::{Entry, EntryState};
use super::hops::PLAIN;
use super::{Further, LocRib};
use crate::table::slab::NONE;
use crate::wire::{Destination, IpVersion};

impl LocRib {
    /// Whether a route, or the tombstone of one, is at a place.
    pub(crate) fn is_held(&self, place: u32) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.state == EntryState::Held)
    }

    /// Limits the next hops of every destination from now on. Further ones that it has stay.
    pub(crate) fn limit_next_hops(&mut self, next_hops: u32) {
        self.next_hops = next_hops;
    }

    /// Has a dump begin with these routes, which are default routes.
    pub(crate) fn set_firsts(&mut self, firsts: SmallVec<[u32; 4]>) {
        self.firsts = firsts;
    }

    /// Takes a place that holds no route, until [`LocRib::give_place_back`].
    pub(crate) fn take_place(&mut self) -> u32 {
        self.entries.insert(Entry {
            destination: Destination::FIRST,
            hop_version: IpVersion::V4,
            state: EntryState::Free,
            hop_address: [0; 16],
            hop_fields: PLAIN,
            group: NONE,
            further: Further::default(),
            lister: NONE,
            list_next: NONE,
            list_prev: NONE,
            changed: 0,
        })
    }

    /// Makes a place free that holds no route.
    pub(crate) fn give_place_back(&mut self, place: u32) {
        self.entries.remove(place);
    }
}
