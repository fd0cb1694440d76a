//! Why a next hop can't be used.

use std::fmt;

use crate::wire::Flaw;

/// Why a next hop can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unusable {
    /// No packet can be sent to its address.
    Flaw(Flaw),
    /// It is an IPv4 address.
    Ipv4,
    /// Its VNI has more bits than a packet has room for.
    TargetVni,
    /// It is an address of this host.
    OwnAddress,
}

/// The number of reasons.
pub(crate) const KINDS: usize = Flaw::ALL.len() + 3;

impl Unusable {
    /// All reasons, in order.
    pub(super) const ALL: [Self; KINDS] = {
        let [a, b, c, d, e] = Flaw::ALL;
        [
            Self::Flaw(a),
            Self::Flaw(b),
            Self::Flaw(c),
            Self::Flaw(d),
            Self::Flaw(e),
            Self::Ipv4,
            Self::TargetVni,
            Self::OwnAddress,
        ]
    };

    /// The index in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or(0)
    }

    /// One word, for labels of metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flaw(flaw) => flaw.name(),
            Self::Ipv4 => "ipv4",
            Self::TargetVni => "target_vni",
            Self::OwnAddress => "own_address",
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flaw(flaw) => return flaw.fmt(f),
            Self::Ipv4 => "the next hop is an IPv4 address, and the tunnel sends over IPv6 only",
            Self::TargetVni => "the target VNI is above 16777215, and packets have 24 bits for it",
            Self::OwnAddress => {
                "the next hop is an address of this host, to which its packets would come back"
            }
        })
    }
}
