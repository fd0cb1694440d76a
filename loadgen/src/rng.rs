//! Random numbers: splitmix64, so that a seed means the same run on every machine. By hand because crates do not
//! promise the same numbers for ever. The simulation of the library has the same six lines: it exists only in the
//! library's own tests, and this program takes nothing from there.

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` - 1; `end` is at least 1.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(((self.next() >> 32) * u64::from(end)) >> 32).unwrap_or(0)
    }

    /// Puts elements into a random order.
    pub(crate) fn shuffle<T>(&mut self, elements: &mut [T]) {
        for end in (1..elements.len()).rev() {
            let bound = u32::try_from(end + 1).unwrap_or(u32::MAX);
            elements.swap(end, self.below(bound) as usize);
        }
    }
}
