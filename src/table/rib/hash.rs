//! The hash by which a destination is found: few multiplications, with keys that nobody outside knows.

use ahash::RandomState;

use crate::wire::{Destination, halves};

/// Any odd number whose bits are mixed.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes destinations. With known keys, a peer could choose destinations that collide, so the keys are random in
/// every process.
#[derive(Clone, Copy, Debug)]
pub(super) struct DestinationHash {
    keys: [u64; 2],
}

impl DestinationHash {
    /// A hasher whose keys follow from those of another hasher.
    pub(super) fn new(hasher: &RandomState) -> Self {
        Self { keys: [0u64, 1].map(|number| hasher.hash_one(number)) }
    }

    /// The hash of a destination.
    #[inline]
    pub(super) fn of(&self, destination: &Destination) -> u64 {
        let (addr, rest) = destination.words();
        let [low, high] = addr;
        fold(fold(low ^ self.keys[0], high ^ self.keys[1]) ^ u64::from(rest), ODD)
    }
}

/// Both halves of a product, each of which depends on all bits of both factors, as one word.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let [low, high] = halves(u128::from(a) * u128::from(b));
    low ^ high
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hasher(seed: u64) -> DestinationHash {
        DestinationHash::new(&RandomState::with_seeds(seed, 2, 3, 4))
    }

    /// Destinations as networks have them: neighbours, of both families and with some lengths.
    fn destinations() -> Vec<Destination> {
        let v4 = (0..20_000u32).map(|at| ([10, 0, 0, 0].into(), at)).map(
            |(base, at): (std::net::Ipv4Addr, _)| {
                Destination::new(std::net::Ipv4Addr::from_bits(base.to_bits() + at).into(), 32)
            },
        );
        let v6 = (0..20_000u128).map(|at| {
            let addr = std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + (at << 64));
            Destination::new(addr.into(), 64)
        });
        let lengths = (0..=32).map(|len| Destination::new([10, 0, 0, 0].into(), len));
        v4.chain(v6).chain(lengths).map(|it| it.unwrap()).collect()
    }

    #[test]
    fn neighbours_fall_apart_in_both_halves() {
        let (hasher, destinations) = (hasher(1), destinations());
        let hashes: Vec<u64> = destinations.iter().map(|it| hasher.of(it)).collect();
        let all: BTreeSet<u64> = hashes.iter().copied().collect();
        assert_eq!(all.len(), destinations.len() - 1, "10.0.0.0/32 is there twice");
        // Each of 256 shares of the hashes, by the highest and by middle bits, has about the same size.
        for shift in [56, 32] {
            let mut counts = [0; 256];
            hashes.iter().for_each(|hash| counts[(hash >> shift & 255) as usize] += 1);
            let expected = hashes.len() / 256;
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*least > expected / 2 && *most < expected * 2, "{least} to {most}");
        }
    }

    #[test]
    fn other_keys_give_other_hashes() {
        let (one, other) = (hasher(1), hasher(2));
        assert!(destinations().iter().all(|it| one.of(it) != other.of(it)));
    }
}
