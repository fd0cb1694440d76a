//! One route in one cache line.

use super::hops::PLAIN;
use crate::table::announcers::Further;
use crate::table::slab::{NONE, Vacancy};
use crate::wire::{Destination, IpVersion};

/// In a lister's number: it has withdrawn the route, which stays in its list. Most withdrawn routes
/// come back or are freed soon; until then their neighbours, which are in no cache, need not be touched.
pub(super) const GONE: u32 = 1 << 31;

/// A route with all fields that an update of it reads or changes: 64 bytes, so that one wait for memory brings
/// it. A large table's routes are in no cache.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(super) destination: Destination,
    pub(super) hop_version: IpVersion,
    pub(super) state: EntryState,
    pub(super) hop_address: [u8; 16],
    /// The number of the next hop's fields beside its address; see `HopTable`.
    pub(super) hop_fields: u32,
    /// The group of its destination's routes; `NONE` while the route is alone.
    pub(super) group: u32,
    /// The announcers beside its primary announcer.
    pub(super) further: Further,
    /// The member whose list this route is in, with [`GONE`] if it has withdrawn the route; `NONE`
    /// for a tombstone that is in no list.
    pub(super) lister: u32,
    /// Neighbours in that member's list.
    pub(crate) list_next: u32,
    pub(crate) list_prev: u32,
    /// Stamp of this route's newest journal entry.
    pub(crate) changed: u32,
}

/// The state of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum EntryState {
    /// No route is here.
    Free,
    /// A route, or the tombstone of one.
    Held,
    /// A tombstone that would be free if it did not mark the place of a destination whose other routes
    /// are held.
    Mark,
}

impl Entry {
    /// Whether the place holds no route.
    pub(crate) fn is_free(&self) -> bool {
        self.state == EntryState::Free
    }

    /// Whether any member announces the route.
    #[inline]
    pub(crate) fn is_announced(&self) -> bool {
        self.lister & GONE == 0
    }

    /// The primary announcer.
    #[inline]
    pub(crate) fn primary(&self) -> Option<u32> {
        self.is_announced().then_some(self.lister)
    }

    /// The member whose list it is in: its primary announcer, or its former one.
    #[inline]
    pub(crate) fn lister(&self) -> Option<u32> {
        (self.lister != NONE).then_some(self.lister & !GONE)
    }

    /// Whether it has several announcers.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.further.is_anybody()
    }

    /// Whether it is its destination's only route, has at most one announcer, and begins no dump.
    #[inline]
    pub(crate) fn is_usual(&self) -> bool {
        self.group == NONE && !self.is_shared() && !self.destination.is_default()
    }

    /// The address of a plain next hop over IPv6.
    #[inline]
    pub(crate) fn plain_hop(&self) -> Option<&[u8; 16]> {
        let is_plain = self.hop_version == IpVersion::V6 && self.hop_fields == PLAIN;
        is_plain.then_some(&self.hop_address)
    }

    /// The prefix.
    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether both are routes of one destination.
    #[inline]
    pub(super) fn shares_destination(&self, other: &Self) -> bool {
        self.group != NONE && self.group == other.group
    }
}

impl Vacancy for Entry {
    fn vacate(&mut self, next: u32) {
        self.state = EntryState::Free;
        self.list_next = next;
    }

    fn next_vacant(&self) -> u32 {
        self.list_next
    }
}

const _: () = assert!(size_of::<Entry>() == 64);
