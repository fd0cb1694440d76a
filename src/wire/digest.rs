//! [`Digest`]: 16 bytes by which two parties compare their routes of a VNI.

use super::{Destination, NextHop, halves};

/// Odd, with half of its bits set.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const OTHER: u64 = 0xD1B5_4A32_D192_ED03;

/// The number of routes in a set, and the sum of a 64-bit hash of each route. The order in which routes come and go
/// does not matter. The hash is the same in all versions, so that different versions can compare digests.
///
/// A digest finds accidents, not attacks: a peer that may announce routes can construct two sets with the same digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Digest {
    /// The number of routes.
    pub routes: u64,
    /// The wrapping sum of their hashes.
    pub sum: u64,
}

impl Digest {
    /// Adds a route that is not in the set; takes some 10 ns.
    #[inline]
    pub fn add(&mut self, destination: &Destination, next_hop: &NextHop) {
        self.routes = self.routes.wrapping_add(1);
        self.sum = self.sum.wrapping_add(hash(destination, next_hop));
    }

    /// The routes of this set and of another that has none of them.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let routes = self.routes.wrapping_add(other.routes);
        Self { routes, sum: self.sum.wrapping_add(other.sum) }
    }

    /// The routes of this set without those of another set, which this set must contain.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let routes = self.routes.wrapping_sub(other.routes);
        Self { routes, sum: self.sum.wrapping_sub(other.sum) }
    }

    /// Removes a route that is in the set.
    #[inline]
    pub fn remove(&mut self, destination: &Destination, next_hop: &NextHop) {
        self.routes = self.routes.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(hash(destination, next_hop));
    }
}

fn hash(destination: &Destination, next_hop: &NextHop) -> u64 {
    let (version, address, length) = destination.parts();
    let [low, high] = halves(u128::from_le_bytes(address));
    let (hop_version, hop, _) = next_hop.parts();
    let [hop_low, hop_high] = halves(u128::from_le_bytes(hop));
    let versions = [version as u8, length, next_hop.kind() as u8, hop_version as u8];
    let kind = u64::from(u32::from_le_bytes(versions)) << 32 | u64::from(next_hop.target_vni());
    let (from, to) = next_hop.nat_ports();
    let nat = u64::from(from) << 32 | u64::from(to);
    [low, high, hop_low, hop_high, kind, nat].iter().fold(OTHER, |state, word| fold(state ^ word))
}

/// Mixes all bits of a word: the halves of its product with a constant.
#[inline]
fn fold(word: u64) -> u64 {
    let [low, high] = halves(u128::from(word ^ OTHER) * u128::from(FACTOR));
    (low ^ high).wrapping_add(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(number: u8) -> (Destination, NextHop) {
        let destination = Destination::new([10, 0, number, 0].into(), 24).expect("a prefix");
        let hop = std::net::Ipv6Addr::from(u128::from(number) + 1);
        (destination, NextHop::standard(hop.into()))
    }

    #[test]
    fn order_does_not_matter_and_what_goes_is_gone() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        for number in 0..10 {
            let (destination, hop) = route(number);
            one.add(&destination, &hop);
            let (destination, hop) = route(9 - number);
            other.add(&destination, &hop);
        }
        assert_eq!(one, other);
        let (destination, hop) = route(3);
        other.remove(&destination, &hop);
        assert_ne!(one, other);
        for number in (0..10).filter(|number| *number != 3) {
            let (destination, hop) = route(number);
            other.remove(&destination, &hop);
        }
        assert_eq!(other, Digest::default());
    }

    #[test]
    fn it_is_the_same_in_every_version() {
        let mut digest = Digest::default();
        let (destination, hop) = route(7);
        digest.add(&destination, &hop);
        assert_eq!((digest.routes, digest.sum), (1, GOLDEN));
    }

    /// Versions compare their digests: this must never change.
    const GOLDEN: u64 = 11_298_458_014_133_749_321;
}
