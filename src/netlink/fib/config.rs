//! What an announcement means for the kernel.
//!
//! State: the configuration, fixed for a writer's life. Called for every change that is handed over.
//! It knows nothing of what is installed.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use ahash::RandomState;
use hashbrown::HashMap;

use super::unusable::Unusable;
use crate::netlink::model::{Hop, RouteKey, TunnelKind};
use crate::wire::{Destination, IpVersion, NextHopType, Update, Vni};

/// The metric that IPv6 routes get by default.
const IPV6_METRIC: u32 = 1024;

/// The greatest VNI that packets can carry: VXLAN has 24 bits for it, and the kernel cuts off the rest.
pub(crate) const VNI_MAX: u32 = (1 << 24) - 1;

/// The checked configuration, in the form that the state machine needs.
#[derive(Clone, Debug)]
pub(crate) struct FibConfig {
    /// The routing table of each VNI.
    pub(crate) tables: HashMap<Vni, u32, RandomState>,
    /// The tunnel device's name.
    pub(crate) device: String,
    /// The protocol number of own routes and objects.
    pub(crate) protocol: u8,
    /// The metric of all routes; 0 lets the kernel choose.
    pub(crate) metric: u32,
    pub(crate) ipv4_only: bool,
    /// Types of next hops to leave out.
    pub(crate) excluded: Vec<NextHopType>,
    /// Whether routes refer to nexthop objects, or else have next hops inside.
    pub(crate) objects: bool,
    /// The ids of own nexthop objects.
    pub(crate) ids: Range<u32>,
}

/// Where packets to a destination go, whatever the device is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Target {
    pub(crate) underlay: Ipv6Addr,
    /// The VNI that the tunnel should carry.
    pub(crate) vni: u32,
    /// The VNI in which the route is announced: another VNI may have the same table.
    pub(crate) source: Vni,
}

impl Target {
    /// The hop over the device with index `device`.
    pub(crate) fn hop(self, device: u32, kind: TunnelKind) -> Hop {
        let encap_id = match kind {
            TunnelKind::Ip6Tnl => 0,
            TunnelKind::VxlanGpe => u64::from(self.vni),
        };
        Hop { underlay: self.underlay, encap_id, device }
    }
}

/// Why a route is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Excluded {
    /// Only IPv4 routes are installed.
    Ipv6,
    /// Routes of this type are not installed.
    Type(NextHopType),
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv6 => f.write_str("only IPv4 routes are installed (ipv4-only)"),
            Self::Type(kind) => {
                write!(f, "routes of type {} are not installed (exclude-route-type)", kind.name())
            }
        }
    }
}

/// The meaning of a change for this kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// Ignored: its VNI has no table.
    Ignored,
    /// Left out by the configuration.
    Excluded(Excluded),
    /// Not installable.
    Unusable(Unusable),
    /// One hop of a route.
    Route(RouteKey, Target),
}

impl FibConfig {
    /// The VNIs whose routes go into a table.
    pub(crate) fn vnis_of(&self, table: u32) -> impl Iterator<Item = Vni> {
        let here = self.tables.iter().filter(move |(_, of)| **of == table);
        here.map(|(vni, _)| *vni)
    }

    /// The meaning of a change, whether it adds or removes.
    pub(crate) fn read(&self, change: &Update) -> Meaning {
        let Some(&table) = self.tables.get(&change.vni) else { return Meaning::Ignored };
        let version = change.destination.version();
        if self.ipv4_only && version == IpVersion::V6 {
            return Meaning::Excluded(Excluded::Ipv6);
        }
        let next_hop = &change.next_hop;
        if self.excluded.contains(&next_hop.kind()) {
            return Meaning::Excluded(Excluded::Type(next_hop.kind()));
        }
        if let Some(flaw) = next_hop.flaw() {
            return Meaning::Unusable(Unusable::Flaw(flaw));
        }
        let IpAddr::V6(underlay) = next_hop.address() else {
            return Meaning::Unusable(Unusable::Ipv4);
        };
        let vni = match next_hop.target_vni() {
            0 => change.vni.0,
            other => other,
        };
        if vni > VNI_MAX {
            return Meaning::Unusable(Unusable::TargetVni);
        }
        let key = self.key(table, change.destination);
        Meaning::Route(key, Target { underlay, vni, source: change.vni })
    }

    /// The route of a table to a destination.
    pub(crate) fn key(&self, table: u32, destination: Destination) -> RouteKey {
        let metric = match destination.version() {
            IpVersion::V6 if self.metric == 0 => IPV6_METRIC,
            _ => self.metric,
        };
        RouteKey { table, destination: destination.network(), metric }
    }
}
