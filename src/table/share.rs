//! What a shard counts of a VNI.

/// The share of a table in its shard's occupancy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Size {
    pub(crate) routes: u32,
    pub(crate) tombstones: u32,
    pub(crate) journal: u32,
    pub(crate) filtered: u32,
    pub(crate) stale: u32,
}

/// The weight of a VNI against limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Weight {
    /// Routes that at least one peer announces.
    pub(crate) routes: u32,
    /// Announcements: a route counts once for each peer that announces it, also one that a policy refuses.
    pub(crate) announcements: u32,
}

/// What a shard has counted of a VNI: its share of the shard's occupancy, and of the amounts that count against limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(align(8))]
pub(crate) struct Share {
    pub(crate) size: Size,
    pub(crate) weight: Weight,
}

/// A count in half the room: each VNI keeps some, and none holds four billion of anything.
#[inline]
pub(super) fn to_u32<N>(count: N) -> u32
where
    u32: TryFrom<N>,
{
    u32::try_from(count).unwrap_or(u32::MAX)
}
