//! Sources of connections: an IPv4 address or an IPv6 /64 is one source. `counts` counts the connections of a source,
//! and `bucket` limits how much a source may do per second.
//!
//! Sessions and readers of HTTP are counted in the same way.
//!
//! Imports: relaxed.

mod bucket;
mod counts;

use std::net::{IpAddr, SocketAddr};

use bucket::Bucket;
pub(crate) use counts::{Counts, SourceShare};

/// The first 64 bits of an IPv6 address.
#[inline]
pub(crate) fn network_of(address: &[u8; 16]) -> u64 {
    u64::try_from(u128::from_be_bytes(*address) >> 64).unwrap_or(0)
}

/// An IPv4 address, or an IPv6 network of 64 bits: a host with one address of it has them all. A link-local
/// source is the whole address with its interface, since all links share that network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
    LinkLocal { address: u128, zone: u32 },
}

impl Source {
    pub(crate) fn of(remote: SocketAddr) -> Self {
        match remote.ip().to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                let zone = match remote {
                    SocketAddr::V6(remote) => remote.scope_id(),
                    SocketAddr::V4(_) => 0,
                };
                Self::LinkLocal { address: address.to_bits(), zone }
            }
            IpAddr::V6(address) => Self::V6(network_of(&address.octets())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &str, other: &str) -> bool {
        let source = |address: &str| Source::of(format!("{address}:47").parse().unwrap());
        source(one) == source(other)
    }

    #[test]
    fn an_ipv6_source_is_a_network_and_an_ipv4_source_an_address() {
        assert!(is_same("[2001:db8::1]", "[2001:db8::ffff:0:0:1]"));
        assert!(!is_same("[2001:db8::1]", "[2001:db8:0:1::1]"));
        assert!(is_same("192.0.2.1", "[::ffff:192.0.2.1]"));
        assert!(!is_same("192.0.2.1", "192.0.2.2"));
        assert!(!is_same("[::]", "0.0.0.0"));
    }

    #[test]
    fn a_link_local_source_is_an_address_on_an_interface() {
        assert!(is_same("[fe80::1%2]", "[fe80::1%2]"));
        assert!(!is_same("[fe80::1%2]", "[fe80::2%2]"));
        assert!(!is_same("[fe80::1%2]", "[fe80::1%3]"));
        assert!(!is_same("[fe80::1%2]", "[2001:db8::1]"));
    }
}
