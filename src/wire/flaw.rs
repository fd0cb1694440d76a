//! Next hop addresses to which no packet can be sent.
//!
//! Such a next hop is well-formed, so a reflector reflects it unless it is configured to skip it. A
//! leaf that installs it has a route that looks right and loses every packet.

use std::fmt;
use std::net::IpAddr;

use super::NextHop;

/// Why an address cannot be the underlay address of another host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flaw {
    /// `::` or an address of 0.0.0.0/8: no address at all.
    Unspecified,
    /// Multicast, or the broadcast address: not one host.
    Multicast,
    /// `::1` or an address of 127.0.0.0/8: each host itself.
    Loopback,
    /// An IPv4 address in the form of an IPv6 address (`::ffff:192.0.2.1`): a form for sockets that no packet carries.
    Mapped,
    /// An address of fe80::/10 or 169.254.0.0/16: it names a different host on each link.
    LinkLocal,
}

impl Flaw {
    /// All flaws, in order.
    pub const ALL: [Self; 5] =
        [Self::Unspecified, Self::Multicast, Self::Loopback, Self::Mapped, Self::LinkLocal];

    /// One word, for labels of metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Loopback => "loopback",
            Self::Mapped => "ipv4_mapped",
            Self::LinkLocal => "link_local",
        }
    }
}

impl fmt::Display for Flaw {
    /// A few words about the next hop: `the next hop is a multicast address`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the next hop is the unspecified address",
            Self::Multicast => "the next hop is a multicast or broadcast address",
            Self::Loopback => "the next hop is a loopback address",
            Self::Mapped => "the next hop is an IPv4-mapped address",
            Self::LinkLocal => "the next hop is a link-local address",
        })
    }
}

impl NextHop {
    /// The flaw of the address; `None` if other hosts can send packets to it.
    #[must_use]
    pub fn flaw(&self) -> Option<Flaw> {
        match self.address() {
            IpAddr::V4(address) => match address.octets() {
                [0, ..] => Some(Flaw::Unspecified),
                [127, ..] => Some(Flaw::Loopback),
                [169, 254, ..] => Some(Flaw::LinkLocal),
                [224..=239, ..] | [255, 255, 255, 255] => Some(Flaw::Multicast),
                _ => None,
            },
            IpAddr::V6(address) => match address.segments() {
                [0, 0, 0, 0, 0, 0, 0, 0] => Some(Flaw::Unspecified),
                [0, 0, 0, 0, 0, 0, 0, 1] => Some(Flaw::Loopback),
                [0, 0, 0, 0, 0, 0xffff, ..] => Some(Flaw::Mapped),
                [0xfe80..=0xfebf, ..] => Some(Flaw::LinkLocal),
                [0xff00..=0xffff, ..] => Some(Flaw::Multicast),
                _ => None,
            },
        }
    }
}
