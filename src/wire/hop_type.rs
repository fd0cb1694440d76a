//! The type of a next hop, as a number on the wire and as a word in APIs.

/// The type of a next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum NextHopType {
    /// The next hop of a plain route.
    Standard = 0,
    /// The next hop for a range of ports of a shared address (NAT).
    Nat = 1,
    /// One target of a load balancer.
    LoadBalancerTarget = 2,
}

impl NextHopType {
    /// All types, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Nat, Self::LoadBalancerTarget];

    /// The word for it in the reflector's API: `standard`, `nat` or `lb`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Nat => "nat",
            Self::LoadBalancerTarget => "lb",
        }
    }

    /// The type with this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
