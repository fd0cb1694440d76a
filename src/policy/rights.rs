//! [`Rights`]: what decides what a peer may announce.

use std::net::{IpAddr, Ipv4Addr};

use crate::sources::network_of;

/// A class, for the life of the process: a class of the same name keeps its number when the policy changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct ClassId(pub(crate) u16);

/// The rights that decide what a peer may announce: its class, and the network that it owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rights {
    pub(crate) class: ClassId,
    /// The policy that knows the class; see [`Policy::generation`](super::Policy::generation).
    pub(crate) generation: u32,
    /// The first 64 bits of its IPv6 address; see [`own_of`].
    pub(crate) own: u64,
    /// The number of its further networks, which its certificate proves; see `networks`.
    pub(super) more: u16,
}

impl Rights {
    /// The rights of a peer before any policy of this process has looked at it. It is not judged until then.
    pub(crate) const UNKNOWN: Self =
        Self { class: ClassId(0), generation: u32::MAX, own: 0, more: 0 };
}

/// The network of an address as one word. An IPv6 address belongs to the network of its first 64 bits. An IPv4 address
/// is a network of its own, behind a mark with which no IPv6 network in use begins. Loopback and link-local addresses
/// give 0, and no peer owns 0.
pub(super) fn own_of(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) if address.is_loopback() => 0,
        IpAddr::V4(address) => V4 | u64::from(address.to_bits()),
        IpAddr::V6(address) if address.is_unicast_link_local() => 0,
        IpAddr::V6(address) => network_of(&address.octets()),
    }
}

const V4: u64 = 1 << 32;

/// The IPv4 address of a network that stands for one.
pub(super) fn v4_of(own: u64) -> Option<Ipv4Addr> {
    let address = u32::try_from(own ^ V4).ok()?;
    Some(Ipv4Addr::from_bits(address))
}
