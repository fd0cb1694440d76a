//! Which shard owns which VNI.

use crate::ids::ShardId;
use crate::wire::Vni;

/// The one shard that owns a VNI's routes. Pure and the same on every core. Operators number VNIs
/// in runs and in round figures, so the number is mixed before it is cut.
#[must_use]
pub(crate) fn owner(vni: Vni, shards: usize) -> ShardId {
    let mixed = u64::from(vni.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let index = (mixed * shards as u64) >> 32;
    ShardId(u16::try_from(index).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_round_numbers_spread_evenly() {
        for step in [1, 2, 16, 100, 256, 1000] {
            let mut counts = [0u32; 8];
            for i in 0..8_000 {
                counts[owner(Vni(i * step), 8).index()] += 1;
            }
            assert!(counts.iter().all(|c| (800..1200).contains(c)), "step {step}: {counts:?}");
        }
    }

    #[test]
    fn one_shard_owns_everything() {
        assert!((0..1000).all(|v| owner(Vni(v * 77), 1) == ShardId(0)));
    }
}
