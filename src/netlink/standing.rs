//! The writer's answers about single routes and about whole VNIs.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::dataplane::Route;
use crate::wire::{Installed, Vni};

/// The state of a VNI's routes in the kernel. Each wanted destination is also counted in exactly one of `installed`,
/// `refused`, `conflicts`, `shadowed` and `pending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KernelVni {
    /// The VNI.
    pub vni: Vni,
    /// The routing table of the VNI.
    pub table: u32,
    /// The number of destinations that should have a route.
    pub wanted: usize,
    /// The number of wanted destinations whose route is in the kernel as it should be.
    pub installed: usize,
    /// The number of wanted destinations whose route the kernel refuses, or other programs keep changing.
    pub refused: usize,
    /// The number of wanted destinations for which a route of another protocol is in the way.
    pub conflicts: usize,
    /// The number of wanted destinations that a lower VNI with the same table has too: the route of that VNI is
    /// installed.
    pub shadowed: usize,
    /// The number of wanted destinations whose route waits for the tunnel device or for the next round of requests.
    pub pending: usize,
    /// The number of routes that the configuration leaves out: IPv6, or types of next hops.
    pub excluded: usize,
    /// The number of routes that cannot be installed because of their next hop.
    pub unusable: usize,
    /// The same, counted in routes: a destination may have several.
    pub routes: Installed,
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
            routes: Installed::default(),
        }
    }
}

/// The state of the route to one destination in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KernelRoute {
    /// The routing table of its VNI.
    pub table: u32,
    /// The metric of the route.
    pub metric: u32,
    /// Whether the kernel has the route, and if not, why.
    pub verdict: KernelVerdict,
    /// The route that the kernel has, as far as known.
    pub installed: Option<InstalledRoute>,
    /// The announced routes to the destination that are not part of it.
    pub left_out: Vec<LeftOut>,
}

/// Whether the kernel has a route, and if not, why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelVerdict {
    /// The kernel has the route as it should be.
    Installed,
    /// The kernel refuses the route, or other programs keep changing it. The text says why.
    Refused(String),
    /// A route of another protocol is in the way. The text names it.
    Conflict(String),
    /// The route of this VNI, which has the same table, is installed.
    Shadowed(Vni),
    /// The route waits. The text says for what.
    Pending(String),
    /// No route that could be installed is announced.
    NotWanted,
}

/// A route in the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstalledRoute {
    /// The underlay addresses that it leads to; empty if the route has a form that this program never writes.
    pub next_hops: Vec<Ipv6Addr>,
    /// For how long the kernel has had it in this form.
    pub since: Duration,
    /// Whether this program found it in the kernel, and did not install it.
    pub was_found: bool,
}

/// An announced route that is not part of the installed route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// The announced route.
    pub route: Route,
    /// The kind of the reason.
    pub omitted: Omitted,
    /// The reason, in words.
    pub words: String,
}

/// Why an announced route is not part of the installed route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Omitted {
    /// The configuration leaves it out.
    Excluded,
    /// Its next hop is not usable.
    Unusable,
}
