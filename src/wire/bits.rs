//! Addresses as 128 bits.

/// The lower and the upper half of a word.
#[inline]
pub(crate) const fn halves(word: u128) -> [u64; 2] {
    [(word & 0xffff_ffff_ffff_ffff) as u64, (word >> 64) as u64]
}

/// The first `len` bits of an address in the highest bits; all of them from 128 on.
#[inline]
pub(crate) const fn prefix_mask(len: u8) -> u128 {
    match len {
        0 => 0,
        1..128 => u128::MAX << (128 - len),
        _ => u128::MAX,
    }
}
