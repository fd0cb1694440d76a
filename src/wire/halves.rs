//! A wide word as the two that a processor works with.

/// The lower and the upper half of a word.
#[inline]
pub(crate) const fn halves(word: u128) -> [u64; 2] {
    [(word & 0xffff_ffff_ffff_ffff) as u64, (word >> 64) as u64]
}
