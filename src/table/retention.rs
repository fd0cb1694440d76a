//! What is kept of a journal, and until when.

use std::collections::VecDeque;
use std::sync::Weak;

use super::batch::Batch;
use super::bounds::TableBounds;

/// A pass over the journal that coalesces it.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) at: u64,
    pub(super) end: u64,
    /// The newest changes that it has met, of the routes of destinations with many.
    pub(super) newest: Notes,
}

/// A position of the journal for each of some routes. An array in pages, since most routes have none, and a map that
/// grows would make a long turn.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Each position as its distance from `first`; 0 stands for none.
    pages: Vec<Option<Box<[u32; Self::ROUTES]>>>,
    /// A position before all that are noted.
    first: u64,
}

impl Notes {
    /// The number of routes of a page.
    const ROUTES: usize = 256;

    /// No positions yet, and none before `base`.
    pub(super) fn beginning_at(base: u64) -> Self {
        Self { pages: Vec::new(), first: base.wrapping_sub(1) }
    }

    /// The position that is noted for a route.
    pub(super) fn get(&self, route: u32) -> Option<u64> {
        let page = self.pages.get(route as usize / Self::ROUTES)?.as_ref()?;
        let distance = page[route as usize % Self::ROUTES];
        (distance > 0).then(|| self.first.wrapping_add(u64::from(distance)))
    }

    /// Notes a position for a route.
    pub(super) fn set(&mut self, route: u32, position: u64) {
        let distance = u32::try_from(position.wrapping_sub(self.first)).unwrap_or(0);
        let number = route as usize / Self::ROUTES;
        if number >= self.pages.len() {
            self.pages.resize_with(number + 1, || None);
        }
        let page = self.pages[number].get_or_insert_with(|| Box::new([0; Self::ROUTES]));
        page[route as usize % Self::ROUTES] = distance;
    }
}

/// A sealed batch whose bytes may still wait in some peer's queue.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) start: u64,
    pub(super) batch: Weak<Batch>,
    /// The number of subscribers that it is for.
    pub(super) subscribers: usize,
}

/// The part of the journal that is kept, and when to look at that again.
#[derive(Debug)]
pub(super) struct Retention {
    pub(super) pins: VecDeque<Pin>,
    /// The length of the journal at which it is trimmed next.
    pub(super) trim_at: usize,
    /// The journal's head at its latest trim.
    pub(super) trimmed_at: u64,
    /// No cursor and no batch needs the journal before this position.
    pub(super) needless: u64,
    /// The length of the journal at which it is compacted next.
    pub(super) compact_at: usize,
    /// A compaction that is under way.
    pub(super) pass: Option<Pass>,
}

impl Retention {
    pub(super) fn new(bounds: &TableBounds) -> Self {
        let TableBounds { trim_at, compact_at, .. } = *bounds;
        Self { pins: VecDeque::new(), trim_at, trimmed_at: 0, needless: 0, compact_at, pass: None }
    }
}
