//! Which shard owns which VNI.
//!
//! VNIs fall into [`PARTITIONS`] partitions by a hash, and a table says which shard owns each partition. All shards
//! have the same table, except while a move is being announced to them. A move takes a set of partitions from one shard
//! to another, with all their VNIs, including those that don't exist yet.

use crate::ids::ShardId;
use crate::wire::Vni;

/// The number of partitions: enough that two heavy VNIs rarely share one.
pub(crate) const PARTITIONS: usize = 4096;

/// A partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PartitionId(u16);

impl PartitionId {
    /// The partition of a VNI. Operators number VNIs in runs and in round figures, so the top bits of a hash of the
    /// number select the partition.
    #[inline]
    pub(crate) fn of(vni: Vni) -> Self {
        let mixed = u64::from(vni.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let index = (mixed * PARTITIONS as u64) >> 32;
        Self(u16::try_from(index).unwrap_or(0))
    }

    /// All partitions.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..u16::try_from(PARTITIONS).unwrap_or(u16::MAX)).map(Self)
    }

    #[inline]
    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A set of partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Partitions(Box<[u64; PARTITIONS / 64]>);

impl Default for Partitions {
    fn default() -> Self {
        Self(Box::new([0; PARTITIONS / 64]))
    }
}

impl Partitions {
    #[inline]
    pub(crate) fn contains(&self, partition: PartitionId) -> bool {
        self.0[partition.index() / 64] & (1 << (partition.index() % 64)) != 0
    }

    pub(crate) fn insert(&mut self, partition: PartitionId) {
        self.0[partition.index() / 64] |= 1 << (partition.index() % 64);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = PartitionId> {
        PartitionId::all().filter(|partition| self.contains(*partition))
    }
}

impl FromIterator<PartitionId> for Partitions {
    fn from_iter<T: IntoIterator<Item = PartitionId>>(partitions: T) -> Self {
        let mut set = Self::default();
        partitions.into_iter().for_each(|partition| set.insert(partition));
        set
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placement(Box<[ShardId]>);

impl Placement {
    /// The partitions, spread evenly over this number of shards.
    pub(crate) fn even(shards: usize) -> Self {
        let shard = |index: usize| ShardId::at(index * shards / PARTITIONS);
        Self((0..PARTITIONS).map(shard).collect())
    }

    /// The owner of a VNI.
    #[inline]
    pub(crate) fn owner(&self, vni: Vni) -> ShardId {
        self.owner_of(PartitionId::of(vni))
    }

    /// The owner of a partition.
    #[inline]
    pub(crate) fn owner_of(&self, partition: PartitionId) -> ShardId {
        self.0[partition.index()]
    }

    /// The partitions of a shard.
    pub(crate) fn of(&self, shard: ShardId) -> impl Iterator<Item = PartitionId> {
        PartitionId::all().filter(move |partition| self.owner_of(*partition) == shard)
    }

    /// The number of partitions that each shard owns. Costs one pass over the table.
    pub(crate) fn counts(&self, shards: usize) -> Vec<usize> {
        let mut counts = vec![0; shards];
        for owner in &self.0 {
            if let Some(count) = counts.get_mut(owner.index()) {
                *count += 1;
            }
        }
        counts
    }

    /// Gives partitions to a shard.
    pub(crate) fn assign(&mut self, partitions: &Partitions, to: ShardId) {
        partitions.iter().for_each(|partition| self.0[partition.index()] = to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_round_numbers_spread_evenly() {
        let placement = Placement::even(8);
        for step in [1, 2, 16, 100, 256, 1000] {
            let mut counts = [0u32; 8];
            for i in 0..8_000 {
                counts[placement.owner(Vni(i * step)).index()] += 1;
            }
            assert!(counts.iter().all(|c| (800..1200).contains(c)), "step {step}: {counts:?}");
        }
    }

    #[test]
    fn one_shard_owns_everything() {
        let placement = Placement::even(1);
        assert!((0..1000).all(|v| placement.owner(Vni(v * 77)) == ShardId(0)));
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let some: Vec<PartitionId> = PartitionId::all().step_by(7).collect();
        let set: Partitions = some.iter().copied().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), some);
        let mut placement = Placement::even(3);
        placement.assign(&set, ShardId(9));
        assert_eq!(placement.of(ShardId(9)).collect::<Vec<_>>(), some);
    }
}
