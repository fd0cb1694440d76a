//! [`Rule`]: one requirement that routes of some VNIs must meet.

use std::fmt;
use std::net::Ipv6Addr;

use super::prefixes::PrefixSet;
use super::refusal::{OnRefusal, Reason};
use super::rights::{own_of, v4_of};
use super::vnis::VniSet;
use crate::wire::{Destination, NextHop, NextHopType};

/// The most networks of a peer that a text names.
const SHOWN_MAX: usize = 8;

/// The addresses that next hops may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Hops {
    /// Addresses of the peer's own networks.
    pub(super) own: bool,
    /// Addresses within these prefixes.
    pub(super) within: PrefixSet,
}

/// See the module's documentation. A field that is `None` requires nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    /// The VNIs to which it applies; all VNIs if `None`.
    pub(super) vnis: Option<VniSet>,
    pub(super) types: Option<[bool; NextHopType::ALL.len()]>,
    /// Whether it lets default routes through.
    pub(super) default_routes: bool,
    pub(super) target_vnis: Option<VniSet>,
    pub(super) hops: Option<Hops>,
    /// The allowed prefixes of routes other than default routes.
    pub(super) prefixes: Option<PrefixSet>,
    pub(super) then: OnRefusal,
}

impl Rule {
    /// Whether it allows standard next hops in the network of the peer.
    pub(super) fn lets_usual_hops(&self) -> bool {
        self.hops.as_ref().is_none_or(|hops| hops.own)
            && self.types.is_none_or(|types| types[NextHopType::Standard as usize])
    }

    /// The requirement that a route of a peer violates.
    #[inline]
    pub(super) fn check(
        &self,
        own: u64,
        more: &[u64],
        to: &Destination,
        hop: &NextHop,
    ) -> Option<Reason> {
        if let Some(hops) = &self.hops
            && !hops.allow(own, more, hop)
        {
            return Some(Reason::NextHop);
        }
        if to.is_default() {
            if !self.default_routes {
                return Some(Reason::DefaultRoute);
            }
        } else if let Some(prefixes) = &self.prefixes
            && !prefixes.contains(to)
        {
            return Some(Reason::Prefix);
        }
        if let Some(types) = &self.types
            && !types[hop.kind() as usize]
        {
            return Some(Reason::Type);
        }
        if let Some(vnis) = &self.target_vnis {
            let target = hop.target_vni();
            if target != 0 && !vnis.contains(crate::wire::Vni(target)) {
                return Some(Reason::TargetVni);
            }
        }
        None
    }
}

impl Hops {
    #[inline]
    fn allow(&self, own: u64, more: &[u64], hop: &NextHop) -> bool {
        let address = hop.address();
        let is_own = || {
            let network = own_of(address);
            network != 0 && (network == own || more.binary_search(&network).is_ok())
        };
        (self.own && is_own()) || self.within.covers(address)
    }

    /// The allowed next hops of a peer that owns these networks, in words.
    pub(super) fn shown(&self, owned: &[u64]) -> String {
        let own = self.own.then(|| match owned {
            [] => "the network of this peer, which has none".to_owned(),
            [own] => format!("{}, the network of this peer", Own(*own)),
            all => {
                let (first, rest) = all.split_at(all.len().min(SHOWN_MAX));
                let first: Vec<_> = first.iter().map(|own| Own(*own).to_string()).collect();
                let first = first.join(", ");
                match rest.len() {
                    0 => format!("{first}, the networks of this peer"),
                    more => format!("{first} and {more} more, the networks of this peer"),
                }
            }
        });
        let within = self.within.to_string();
        let all = [own, Some(within).filter(|text| !text.is_empty())];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A peer's own network as a prefix.
struct Own(u64);

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match v4_of(self.0) {
            Some(address) => write!(f, "{address}/32"),
            None => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(self.0) << 64)),
        }
    }
}
