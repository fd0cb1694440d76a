//! Sets of a plan's routes, and what each session should hold.

use std::sync::Arc;

/// Some of a plan's routes: one bit for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RouteSet {
    bits: Vec<u64>,
    /// Number of bits set.
    len: u32,
}

impl RouteSet {
    /// None of `routes` routes.
    pub(crate) fn new(routes: u32) -> Self {
        Self { bits: vec![0; (routes as usize).div_ceil(64)], len: 0 }
    }

    /// Some of `routes` routes.
    pub(crate) fn of(routes: u32, members: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::new(routes);
        for route in members {
            set.insert(route);
        }
        set
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// False when it was there already.
    #[inline]
    pub(crate) fn insert(&mut self, route: u32) -> bool {
        let word = &mut self.bits[route as usize / 64];
        let bit = 1 << (route % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += u32::from(is_new);
        is_new
    }

    /// False when it was not there.
    #[inline]
    pub(crate) fn remove(&mut self, route: u32) -> bool {
        let word = &mut self.bits[route as usize / 64];
        let bit = 1 << (route % 64);
        let was_there = *word & bit != 0;
        *word &= !bit;
        self.len -= u32::from(was_there);
        was_there
    }

    /// How many routes of `self` are not in `other`. Both are of the same plan.
    pub(crate) fn without(&self, other: &Self) -> u64 {
        let words = self.bits.iter().zip(&other.bits);
        words.map(|(here, there)| u64::from((here & !there).count_ones())).sum()
    }
}

/// What sessions should hold.
#[derive(Clone, Debug)]
pub(crate) enum Views {
    /// All of them the same.
    Same(Arc<RouteSet>),
    /// Each peer, by its number, what is its own.
    Each(Arc<Vec<RouteSet>>),
}

impl Views {
    /// Everybody holds these routes.
    pub(crate) fn same(set: RouteSet) -> Self {
        Self::Same(Arc::new(set))
    }

    /// Each peer holds a set of its own.
    pub(crate) fn each(sets: Vec<RouteSet>) -> Self {
        Self::Each(Arc::new(sets))
    }

    /// What one peer should hold.
    pub(crate) fn of(&self, peer: usize) -> &RouteSet {
        match self {
            Self::Same(set) => set,
            Self::Each(sets) => &sets[peer],
        }
    }

    /// How many routes `peers` peers should hold together.
    pub(crate) fn total(&self, peers: usize) -> u64 {
        (0..peers).map(|peer| u64::from(self.of(peer).len())).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted_once() {
        let mut set = RouteSet::of(130, [0, 64, 129]);
        assert!(!set.insert(64) && set.insert(63) && set.remove(0) && !set.remove(1));
        assert_eq!(set.len(), 3);
        let other = RouteSet::of(130, [63, 64, 65]);
        assert_eq!((set.without(&other), other.without(&set)), (1, 1));
        assert_eq!(set, RouteSet::of(130, [129, 64, 63]));
    }
}
