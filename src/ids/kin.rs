//! [`Kin`]: recognises a peer that comes back.

use std::net::IpAddr;

/// A peer's address and the name that it gives itself, or the name that its certificate proves. Two sessions with the
/// same kin are very likely of the same agent. Kin is the same in another process: its hashes use no keys of the
/// process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kin {
    source: u64,
    name: u64,
}

impl Kin {
    /// The kin of a peer with this address, which says the name `said` and proves the name `proven`. `None` for a
    /// link-local address without a proven name: such addresses are the same on many links.
    pub(crate) fn of(address: Option<IpAddr>, said: &str, proven: Option<&str>) -> Option<Self> {
        if let Some(proven) = proven {
            // No address begins with 64 ones.
            return Some(Self { source: u64::MAX, name: fnv(proven) });
        }
        let source = match address?.to_canonical() {
            // Below ::/32, where no IPv6 network is in use.
            IpAddr::V4(address) => 1 << 32 | u64::from(address.to_bits()),
            IpAddr::V6(address) if address.is_unicast_link_local() => return None,
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or(0),
        };
        Some(Self { source, name: fnv(said) })
    }

    /// Whether both have one source, whatever their names are. Peers with proven names share none.
    pub(crate) fn shares_source(self, other: Self) -> bool {
        self.source == other.source && self.source != u64::MAX
    }

    /// The numbers for the portable form.
    pub(crate) fn to_numbers(self) -> [u64; 2] {
        [self.source, self.name]
    }

    /// The kin of [`Kin::to_numbers`].
    pub(crate) fn from_numbers([source, name]: [u64; 2]) -> Self {
        Self { source, name }
    }
}

/// FNV-1a. A source that finds two names with the same number only has two of its own agents taken for one.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_and_a_name_are_one_agent() {
        let kin = |address: &str, said: &str| Kin::of(Some(address.parse().unwrap()), said, None);
        assert_eq!(kin("2001:db8::1", "hv"), kin("2001:db8::2", "hv"));
        assert_ne!(kin("2001:db8::1", "hv"), kin("2001:db8::1", ""));
        assert_ne!(kin("2001:db8::1", "hv"), kin("2001:db8:1::1", "hv"));
        assert_eq!(kin("::ffff:192.0.2.1", ""), kin("192.0.2.1", ""));
        assert_ne!(kin("192.0.2.1", ""), kin("192.0.2.2", ""));
        assert_eq!(kin("fe80::1", "hv"), None);
        let proven = |address: &str| Kin::of(Some(address.parse().unwrap()), "", Some("hv-1"));
        assert_eq!(proven("2001:db8::1"), proven("fe80::1"));
        let other = Kin::of(None, "", Some("hv-2")).unwrap();
        assert!(!other.shares_source(proven("2001:db8::1").unwrap()));
        let [one, two] = ["a", "b"].map(|said| kin("2001:db8::1", said).unwrap());
        assert!(one.shares_source(two));
    }
}
