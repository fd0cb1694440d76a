//! What rows are sorted by: bytes that compare as the values do.
//!
//! A key ends with the name of its row, so no two keys are equal. The text form of a key says where the next page of a
//! listing begins.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use smallvec::SmallVec;

use crate::wire::{Destination, NextHop, halves};

/// The most bytes of a text that count.
const TEXT_MAX: usize = 255;
/// The most digits of a key in a request.
const DIGITS_MAX: usize = 1024;

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(in crate::admin::reflector::api) struct SortKey(SmallVec<[u8; 64]>);

impl SortKey {
    /// Sorts next by a number.
    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Sorts next by a text, whatever its case.
    pub(super) fn text(mut self, text: &str) -> Self {
        // The final zero must be the first one: "ab" comes before "abc", and after it in reverse.
        let bytes = text.bytes().map(|byte| byte.to_ascii_lowercase().max(1));
        self.0.extend(bytes.take(TEXT_MAX));
        self.0.push(0);
        self
    }

    /// Sorts next by an address and a port; IPv4 in its IPv4-mapped IPv6 form.
    pub(super) fn remote(self, remote: Option<SocketAddr>) -> Self {
        let (address, port) = remote.map_or((0, 0), |remote| {
            let address = match remote.ip() {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            (address.to_bits(), remote.port())
        });
        let [low, high] = halves(address);
        self.number(high).number(low).number(port.into())
    }

    /// Sorts next by a prefix: by family, bits and length.
    pub(super) fn destination(mut self, destination: &Destination) -> Self {
        self.0.push(destination.version() as u8);
        match destination.addr() {
            IpAddr::V4(address) => self.0.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => self.0.extend_from_slice(&address.octets()),
        }
        self.0.push(destination.prefix_len());
        self
    }

    /// Sorts next by all fields of a next hop, its address first.
    pub(super) fn next_hop(mut self, hop: &NextHop) -> Self {
        let (is_v6, address) = match hop.address() {
            IpAddr::V4(address) => (0, u128::from(address.to_bits())),
            IpAddr::V6(address) => (1, address.to_bits()),
        };
        let (from, to) = hop.nat_ports();
        self.0.push(is_v6);
        self.0.extend_from_slice(&address.to_be_bytes());
        self.0.extend_from_slice(&hop.target_vni().to_be_bytes());
        self.0.push(hop.kind() as u8);
        self.0.extend_from_slice(&from.to_be_bytes());
        self.0.extend_from_slice(&to.to_be_bytes());
        self
    }

    /// The key for the opposite order. No key is the beginning of another, so the order is exactly reversed.
    pub(super) fn reversed(mut self) -> Self {
        for byte in &mut self.0 {
            *byte = !*byte;
        }
        self
    }
}

impl std::fmt::Display for SortKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is no key.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct NoKey;

impl FromStr for SortKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) || digits.len() > DIGITS_MAX {
            return Err(NoKey);
        }
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(value(*high)? << 4 | value(*low)?),
            _ => None,
        };
        digits.chunks(2).map(byte).collect::<Option<_>>().map(Self).ok_or(NoKey)
    }
}

fn value(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// The columns by which rows can be sorted: names and keys.
pub(super) type Columns<T> = [(&'static str, fn(&T) -> SortKey)];

/// The column by which a listing is sorted, and the direction.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct Sort<T: 'static> {
    key: fn(&T) -> SortKey,
    is_descending: bool,
}

impl<T> Sort<T> {
    /// By a name, with `-` before it for descending; `None` when there is no such name.
    pub(super) fn named(names: &'static Columns<T>, text: &str) -> Option<Self> {
        let (is_descending, name) =
            text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let (_, key) = names.iter().find(|(known, _)| *known == name)?;
        Some(Self { key: *key, is_descending })
    }

    /// The opposite order.
    pub(super) fn reversed(self) -> Self {
        Self { is_descending: !self.is_descending, ..self }
    }

    /// The key of a row.
    pub(super) fn key(&self, row: &T) -> SortKey {
        let key = (self.key)(row);
        if self.is_descending { key.reversed() } else { key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascend(keys: &[SortKey]) {
        assert!(keys.is_sorted(), "{keys:?}");
        let reversed: Vec<_> = keys.iter().rev().cloned().map(SortKey::reversed).collect();
        assert!(reversed.is_sorted(), "{reversed:?}");
    }

    fn destination(address: &str, length: u8) -> SortKey {
        SortKey::default().destination(&Destination::new(address.parse().unwrap(), length).unwrap())
    }

    #[test]
    fn keys_compare_as_values_do() {
        ascend(&[0, 1, 255, 256, u64::MAX].map(|number| SortKey::default().number(number)));
        ascend(&["", "A", "ab", "abc", "B"].map(|text| SortKey::default().text(text).number(1)));
        ascend(&[
            destination("0.0.0.0", 0),
            destination("9.0.0.0", 8),
            destination("10.0.0.0", 8),
            destination("10.0.0.0", 24),
            destination("10.0.0.1", 32),
            destination("::", 0),
        ]);
    }

    #[test]
    fn a_key_survives_its_text() {
        let key = SortKey::default().text("node-1").number(7).reversed();
        assert_eq!(key.to_string().parse::<SortKey>().ok(), Some(key));
        for wrong in ["0", "0x", "+1", "-1", "é0", &"00".repeat(600)] {
            assert!(wrong.parse::<SortKey>().is_err(), "{wrong}");
        }
    }
}
