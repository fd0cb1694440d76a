//! How much a shard holds that counts against the limits of the whole reflector, and how much more it may take in.
//!
//! No shard knows what the others hold. Several times a second the control thread reads how much each shard has taken
//! in, and sends each shard its ceiling. So a shard compares two numbers of its own, and the shards together exceed a
//! limit by no more than the shares that they were given.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::table::{LimitHits, Weight};

/// What limits of the whole reflector count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Amounts {
    /// Routes that somebody announces.
    pub(crate) routes: i64,
    /// Announcements: a route counts once for each peer that announces it.
    pub(crate) announcements: i64,
    /// VNIs that somebody takes part in.
    pub(crate) vnis: i64,
}

impl Amounts {
    /// No limit.
    pub(crate) const ANY: Self = Self::all(i64::MAX);

    /// So many of each.
    pub(crate) const fn all(amount: i64) -> Self {
        Self { routes: amount, announcements: amount, vnis: amount }
    }

    /// Both put together, one by one.
    pub(crate) fn with(self, other: Self, each: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            routes: each(self.routes, other.routes),
            announcements: each(self.announcements, other.announcements),
            vnis: each(self.vnis, other.vnis),
        }
    }
}

impl Add for Amounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, i64::saturating_add)
    }
}

impl Sub for Amounts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, i64::saturating_sub)
    }
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amounts {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl From<Weight> for Amounts {
    /// A VNI of this weight.
    fn from(weight: Weight) -> Self {
        let Weight { routes, announcements } = weight;
        Self { routes, announcements, vnis: 1 }
    }
}

/// How far a shard may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ceiling {
    /// What it may have taken in, as [`Growth::grown`] counts it.
    pub(crate) grown: Amounts,
    /// Whether memory, and not the number of VNIs, is why there may be no more VNIs.
    pub(crate) vnis_by_memory: bool,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { grown: Amounts::ANY, vnis_by_memory: false }
    }
}

/// What one shard holds and has taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Growth {
    /// What came here by updates and subscriptions since the start, less what was withdrawn. Tables that move between
    /// shards don't count: what they bring is nothing new.
    pub(crate) grown: Amounts,
    /// What tables brought that moved here, less what those took away that left.
    pub(crate) moved: Amounts,
    /// What was refused: for want of routes, of memory (as announcements) and of VNIs.
    pub(crate) refused: Amounts,
    ceiling: Ceiling,
}

impl Growth {
    /// From now on it may go so far. What has been taken in since the control thread looked stays, and may change.
    pub(in crate::shard) fn set_ceiling(&mut self, ceiling: Ceiling) {
        let grown = ceiling.grown.with(self.grown, i64::max);
        self.ceiling = Ceiling { grown, ..ceiling };
    }

    /// What may still be taken in.
    #[inline]
    pub(in crate::shard) fn room(&self) -> Amounts {
        self.ceiling.grown - self.grown
    }

    /// Whether memory is why there may be no more VNIs.
    pub(in crate::shard) fn is_short_of_memory(&self) -> bool {
        self.ceiling.vnis_by_memory
    }

    /// Announcements or subscriptions were refused.
    pub(in crate::shard) fn refused(&mut self, hits: &LimitHits) {
        let LimitHits { routes, memory, vnis, .. } = *hits;
        self.refused +=
            Amounts { routes: routes.into(), announcements: memory.into(), vnis: vnis.into() };
    }

    /// A VNI weighs more or less than before.
    #[inline]
    pub(in crate::shard) fn weighed(&mut self, before: Weight, after: Weight) {
        self.grown.routes += after.routes - before.routes;
        self.grown.announcements += after.announcements - before.announcements;
    }
}
