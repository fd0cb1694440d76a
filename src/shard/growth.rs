//! How much a shard holds that counts against the limits of the whole reflector, and how much more it may take in.
//!
//! No shard knows what the others hold. Several times a second the control thread reads how much each shard has taken
//! in, and sends each shard its ceiling. So a shard compares two numbers of its own, and the shards together exceed a
//! limit by no more than the shares that they were given.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use crate::table::{LimitHits, Weight};

/// The amounts that limits of the whole reflector count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Amounts {
    /// Routes that at least one peer announces.
    pub(crate) routes: i64,
    /// Announcements: a route counts once for each peer that announces it.
    pub(crate) announcements: i64,
    /// VNIs that at least one peer takes part in.
    pub(crate) vnis: i64,
}

impl Amounts {
    /// No limit.
    pub(crate) const ANY: Self = Self::all(i64::MAX);

    /// The same amount of each.
    pub(crate) const fn all(amount: i64) -> Self {
        Self { routes: amount, announcements: amount, vnis: amount }
    }

    /// Combines each amount of both.
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
        Self { routes: routes.into(), announcements: announcements.into(), vnis: 1 }
    }
}

/// How far a shard may grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ceiling {
    /// The amounts that it may have taken in, as [`Growth::grown`] counts them.
    pub(crate) grown: Amounts,
    /// Whether memory, and not the number of VNIs, is why there may be no more VNIs.
    pub(crate) vnis_by_memory: bool,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self { grown: Amounts::ANY, vnis_by_memory: false }
    }
}

/// The amounts that one shard holds and has taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Growth {
    /// Amounts taken in by updates and subscriptions since the start, less those withdrawn. Tables that move between
    /// shards don't count: they bring nothing new.
    pub(crate) grown: Amounts,
    /// Amounts in tables that moved here, less those in tables that left.
    pub(crate) moved: Amounts,
    /// Refusals for want of room for routes, of memory (counted as announcements) and of room for VNIs.
    pub(crate) refused: Amounts,
    ceiling: Ceiling,
}

impl Growth {
    /// Sets the ceiling. Amounts taken in since the control thread looked stay, and may change.
    pub(in crate::shard) fn set_ceiling(&mut self, ceiling: Ceiling) {
        let grown = ceiling.grown.with(self.grown, i64::max);
        self.ceiling = Ceiling { grown, ..ceiling };
    }

    /// The amounts that the shard may still take in.
    #[inline]
    pub(in crate::shard) fn room(&self) -> Amounts {
        self.ceiling.grown - self.grown
    }

    /// Whether memory is the reason why there may be no more VNIs.
    pub(in crate::shard) fn is_short_of_memory(&self) -> bool {
        self.ceiling.vnis_by_memory
    }

    /// Counts refused announcements or subscriptions.
    pub(in crate::shard) fn refused(&mut self, hits: &LimitHits) {
        let LimitHits { routes, memory, vnis, .. } = *hits;
        self.refused +=
            Amounts { routes: routes.into(), announcements: memory.into(), vnis: vnis.into() };
    }

    /// Counts a VNI that weighs more or less than before.
    #[inline]
    pub(in crate::shard) fn weighed(&mut self, before: Weight, after: Weight) {
        self.grown += after.into();
        self.grown -= before.into();
    }
}
