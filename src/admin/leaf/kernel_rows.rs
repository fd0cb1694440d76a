//! The state of routes in the kernel, as JSON.

use std::net::Ipv6Addr;

use serde::Serialize;

use crate::client::Route;

/// The routes of a VNI. Each wanted destination is installed, refused, conflicting, shadowed or pending.
#[derive(Debug, Serialize)]
pub(super) struct KernelVniRow {
    pub(super) vni: u32,
    pub(super) table: u32,
    pub(super) wanted: usize,
    pub(super) installed: usize,
    pub(super) refused: usize,
    pub(super) conflicts: usize,
    pub(super) shadowed: usize,
    pub(super) pending: usize,
    pub(super) excluded: usize,
    pub(super) unusable: usize,
}

/// The state of the route to a destination in the kernel.
#[derive(Debug, Serialize)]
pub(super) struct RouteInKernel {
    pub(super) table: u32,
    pub(super) metric: u32,
    pub(super) state: &'static str,
    pub(super) why: Option<String>,
    pub(super) installed: Option<Installed>,
    #[serde(skip)]
    pub(super) left_out: Vec<LeftOut>,
}

/// The route that the kernel has.
#[derive(Debug, Serialize)]
pub(super) struct Installed {
    pub(super) next_hops: Vec<Ipv6Addr>,
    pub(super) since_seconds: f64,
    pub(super) was_found: bool,
}

/// An announced route that does not go into the kernel.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) route: Route,
    pub(super) is_excluded: bool,
    pub(super) words: String,
}
