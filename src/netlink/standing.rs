//! What the writer tells of single routes and of whole VNIs.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::dataplane::Route;
use crate::wire::Vni;

/// How the routes of a VNI stand with the kernel. Each destination that is wanted is counted once more: as installed,
/// refused, conflicting, shadowed or pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KernelVni {
    /// Which one.
    pub vni: Vni,
    /// Its routing table.
    pub table: u32,
    /// Destinations that should have a route.
    pub wanted: usize,
    /// Those whose route is in the kernel as it should be.
    pub installed: usize,
    /// Those whose route the kernel refuses, or that others keep changing.
    pub refused: usize,
    /// Those that another protocol's route is in the way of.
    pub conflicts: usize,
    /// Those that a lower VNI of the same table announces as well: its route is installed.
    pub shadowed: usize,
    /// Those whose route waits: for the tunnel device, or for the next round of requests.
    pub pending: usize,
    /// Routes that the configuration leaves out: IPv6, or types of next hops.
    pub excluded: usize,
    /// Routes that can't be installed because of their next hop.
    pub unusable: usize,
}

impl KernelVni {
    pub(super) fn new(vni: Vni, table: u32) -> Self {
        Self {
            vni,
            table,
            wanted: 0,
            installed: 0,
            refused: 0,
            conflicts: 0,
            shadowed: 0,
            pending: 0,
            excluded: 0,
            unusable: 0,
        }
    }
}

/// How the route to a destination stands with the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KernelRoute {
    /// The routing table of its VNI.
    pub table: u32,
    /// Its metric.
    pub metric: u32,
    /// How it stands.
    pub verdict: KernelVerdict,
    /// What the kernel has of it, as far as is known.
    pub installed: Option<InstalledRoute>,
    /// Routes that were asked about and are no part of it.
    pub left_out: Vec<LeftOut>,
}

/// How a route stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelVerdict {
    /// The kernel has it as it should be.
    Installed,
    /// The kernel refuses it, or others keep changing it: why.
    Refused(String),
    /// Another protocol's route is in the way: which.
    Conflict(String),
    /// The route of this VNI, which has the same table, is installed.
    Shadowed(Vni),
    /// It waits: for what.
    Pending(String),
    /// Nothing that could be installed is announced.
    NotWanted,
}

/// A route in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstalledRoute {
    /// The underlay addresses that it leads to; none, where this program has not written it so.
    pub next_hops: Vec<Ipv6Addr>,
    /// For how long it has been there so.
    pub since: Duration,
    /// Whether it was found there then, and not installed.
    pub was_found: bool,
}

/// A route that is no part of what is installed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Which one.
    pub route: Route,
    /// What kind of reason there is.
    pub omitted: Omitted,
    /// The reason, in words.
    pub words: String,
}

/// Why a route is no part of what is installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Omitted {
    /// The configuration says so.
    Excluded,
    /// Its next hop can't be used.
    Unusable,
}
