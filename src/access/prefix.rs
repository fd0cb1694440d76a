//! A prefix of source addresses, as it is written and as it is compared. The crate ipnet does not serve here: to ipnet
//! an IPv4-mapped address is an IPv6 address, and a lookup here shortens one address to many lengths.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use crate::wire::prefix_mask;

/// A network of source addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address. An IPv4-mapped IPv6 address counts as
/// IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    pub(super) is_v4: bool,
    pub(super) len: u8,
    /// The address in the highest bits; all bits beyond the length are zero.
    pub(super) bits: u128,
}

/// The error of a text that is not a [`Prefix`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// The text has no address, or a length that the address cannot have.
    #[error("expected a prefix or an address, such as 10.0.0.0/8 or 2001:db8::1")]
    Malformed,
    /// Bits are set beyond the length, so either the address or the length is a mistake.
    #[error("the address has bits set beyond its prefix length; the prefix of that length is {0}")]
    HostBits(Prefix),
}

impl Prefix {
    /// The address of a connection in the form used for comparison.
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                Self { is_v4: true, len: 32, bits: u128::from(address.to_bits()) << 96 }
            }
            IpAddr::V6(address) => Self { is_v4: false, len: 128, bits: address.to_bits() },
        }
    }

    /// Its address and its length.
    pub(crate) fn parts(self) -> (IpAddr, u8) {
        let address = if self.is_v4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(self.bits >> 96).unwrap_or(0)))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.bits))
        };
        (address, self.len)
    }

    /// Whether some address is in both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        let len = self.len.min(other.len);
        self.is_v4 == other.is_v4 && self.cut(len).bits == other.cut(len).bits
    }

    /// Its first `len` bits.
    pub(super) fn cut(self, len: u8) -> Self {
        Self { len, bits: self.bits & prefix_mask(len), ..self }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Malformed)?;
        let whole = Self::of(address);
        // The first 96 bits of a mapped address only mark it as mapped.
        let is_mapped = address.is_ipv6() && whole.is_v4;
        let len = match len {
            None => whole.len,
            Some(len) if len.bytes().all(|byte| byte.is_ascii_digit()) => len
                .parse::<u8>()
                .ok()
                .and_then(|len| len.checked_sub(if is_mapped { 96 } else { 0 }))
                .filter(|len| *len <= whole.len)
                .ok_or(PrefixError::Malformed)?,
            Some(_) => return Err(PrefixError::Malformed),
        };
        let cut = whole.cut(len);
        if cut.bits == whole.bits { Ok(cut) } else { Err(PrefixError::HostBits(cut)) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, length) = self.parts();
        write!(f, "{address}/{length}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_read_and_written() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ] {
            assert_eq!(
                text.parse::<Prefix>().map(|prefix| prefix.to_string()).as_deref(),
                Ok(expected)
            );
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        let texts = [
            "",
            "x",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "::/129",
            "10/8",
            "::ffff:0.0.0.0/95",
        ];
        for text in texts {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Malformed), "{text}");
        }
        let wrong = "10.1.2.3/8".parse::<Prefix>().unwrap_err();
        assert!(wrong.to_string().ends_with("is 10.0.0.0/8"), "{wrong}");
    }
}
