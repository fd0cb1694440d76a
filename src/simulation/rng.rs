//! Random numbers of our own: splitmix64, the same on every machine and for ever, which no crate promises. `loadgen`
//! has the same six lines, since nothing of the simulation exists outside of the tests of this library.

/// A source of random numbers; all numbers of a run come from one source.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD129_0A1B_4C3F_5E27) ^ 0x5851_F42D_4C95_7F2D)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..end`; 0 when `end` is.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() >> 8) as usize % end }
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True in this many of a thousand cases.
    pub(crate) fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// The rate of a fault in one run: half of all runs do without it.
    pub(crate) fn rate(&mut self, most: usize) -> usize {
        if self.chance(500) { 0 } else { self.between(1, most) }
    }

    /// A bound: tiny, small or as large as `large`.
    pub(crate) fn bound(&mut self, tiny: usize, small: usize, large: usize) -> usize {
        match self.below(4) {
            0 => tiny,
            1 => self.between(tiny, small),
            2 => self.between(small, large),
            _ => large,
        }
    }
}
