//! The routes of a destination that has several.

use crate::table::slab::Vacancy;

/// Up to this many routes of a destination are searched one after the other.
pub(super) const FEW: usize = 8;

/// The routes of one destination; two at least, tombstones included. A destination with one route has no
/// group.
#[derive(Debug)]
pub(super) struct Group {
    /// The route through which the destination is found and listed. It stays the same while the
    /// destination has routes.
    pub(super) mark: u32,
    /// The routes, in no order.
    pub(super) routes: Vec<u32>,
    /// The number of announced routes among them.
    pub(super) announced: u32,
    /// Stamp of the newest journal entry of any of them.
    pub(super) last: u32,
    /// Whether an index by next hop holds the routes' places, because they are many.
    pub(super) is_indexed: bool,
}

impl Group {
    /// A group that has one route so far.
    pub(super) fn of(mark: u32, last: u32, is_announced: bool) -> Self {
        let announced = u32::from(is_announced);
        Self { mark, routes: vec![mark], announced, last, is_indexed: false }
    }
}

impl Vacancy for Group {
    fn vacate(&mut self, next: u32) {
        self.routes = Vec::new();
        self.mark = next;
    }

    fn next_vacant(&self) -> u32 {
        self.mark
    }
}
