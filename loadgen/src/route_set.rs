//! Sets of a plan's routes, and what each session should hold.

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::sync::Arc;

/// The digest of a set of routes. Different sets have different digests, except for a chance of 1 in 2^64.
///
/// Digests of disjoint sets add up to the digest of their union, so that a small change of a large set
/// needs no look at the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Digest {
    len: u64,
    sum: u64,
}

impl Digest {
    /// The digest of one route.
    #[inline]
    fn of(route: u32) -> Self {
        // The sum of a linear function would be the same for many sets.
        let mixed = (u64::from(route) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { len: 1, sum: (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93) }
    }

    /// Number of routes.
    pub(crate) fn len(self) -> u64 {
        self.len
    }

    /// Adds a route that is not in the set.
    #[inline]
    pub(crate) fn insert(&mut self, route: u32) {
        *self = *self + Self::of(route);
    }
}

impl Add for Digest {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self { len: self.len + other.len, sum: self.sum.wrapping_add(other.sum) }
    }
}

impl Sub for Digest {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self { len: self.len - other.len, sum: self.sum.wrapping_sub(other.sum) }
    }
}

impl Sum for Digest {
    fn sum<I: Iterator<Item = Self>>(digests: I) -> Self {
        digests.fold(Self::default(), Add::add)
    }
}

/// Some of a plan's routes: one bit for each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RouteSet {
    bits: Vec<u64>,
    digest: Digest,
}

impl RouteSet {
    /// An empty set for `routes` routes.
    pub(crate) fn new(routes: u32) -> Self {
        Self { bits: vec![0; (routes as usize).div_ceil(64)], digest: Digest::default() }
    }

    /// A set of some of `routes` routes.
    pub(crate) fn of(routes: u32, members: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::new(routes);
        for route in members {
            set.insert(route);
        }
        set
    }

    pub(crate) fn len(&self) -> u64 {
        self.digest.len
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// `false` when the route was in the set already.
    #[inline]
    pub(crate) fn insert(&mut self, route: u32) -> bool {
        let word = &mut self.bits[route as usize / 64];
        let bit = 1 << (route % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        if is_new {
            self.digest = self.digest + Digest::of(route);
        }
        is_new
    }

    /// `false` when the route was not in the set.
    #[inline]
    pub(crate) fn remove(&mut self, route: u32) -> bool {
        let word = &mut self.bits[route as usize / 64];
        let bit = 1 << (route % 64);
        let was_there = *word & bit != 0;
        *word &= !bit;
        if was_there {
            self.digest = self.digest - Digest::of(route);
        }
        was_there
    }

    /// The number of routes of `self` that are not in `other`. Both belong to the same plan.
    pub(crate) fn without(&self, other: &Self) -> u64 {
        let words = self.bits.iter().zip(&other.bits);
        words.map(|(here, there)| u64::from((here & !there).count_ones())).sum()
    }
}

/// The routes that sessions should hold.
#[derive(Clone, Debug)]
pub(crate) enum Views {
    /// All sessions the same routes.
    Same(Arc<RouteSet>),
    /// Each peer, by its number, routes of its own.
    Each(Arc<Vec<RouteSet>>),
}

impl Views {
    /// Every session holds these routes.
    pub(crate) fn same(set: RouteSet) -> Self {
        Self::Same(Arc::new(set))
    }

    /// Each peer holds its own set.
    pub(crate) fn each(sets: Vec<RouteSet>) -> Self {
        Self::Each(Arc::new(sets))
    }

    /// The routes that one peer should hold.
    pub(crate) fn of(&self, peer: usize) -> &RouteSet {
        match self {
            Self::Same(set) => set,
            Self::Each(sets) => &sets[peer],
        }
    }

    /// The digests of these sets.
    pub(crate) fn digests(&self) -> Digests {
        match self {
            Self::Same(set) => Digests::Same(set.digest()),
            Self::Each(sets) => Digests::Each(sets.iter().map(RouteSet::digest).collect()),
        }
    }
}

/// The digests that sessions should reach: [`Views`] without the routes.
#[derive(Clone, Debug)]
pub(crate) enum Digests {
    /// All sessions the same digest.
    Same(Digest),
    /// Each peer, by its number, its own digest.
    Each(Arc<[Digest]>),
}

impl Digests {
    /// The digest that one peer should reach.
    #[inline]
    pub(crate) fn of(&self, peer: usize) -> Digest {
        match self {
            Self::Same(digest) => *digest,
            Self::Each(digests) => digests[peer],
        }
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

    #[test]
    fn digests_add_up_and_tell_sets_apart() {
        let digest = |routes: &[u32]| RouteSet::of(100, routes.iter().copied()).digest();
        assert_eq!(digest(&[1, 2]) + digest(&[50]), digest(&[50, 2, 1]));
        assert_eq!(digest(&[1, 2, 50]) - digest(&[2]), digest(&[1, 50]));
        let mut set = RouteSet::of(100, 0..100);
        (3..100).for_each(|route| assert!(set.remove(route)));
        assert_eq!(set.digest(), digest(&[0, 1, 2]));
        let mut pairs: Vec<_> =
            (0..100).flat_map(|a| (0..a).map(move |b| digest(&[a, b]).sum)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), 4950);
    }
}
