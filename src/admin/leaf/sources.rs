//! What the leaf's pages ask.

use std::time::Duration;

use crate::client::MetalBond;
use crate::metrics::Rows;

/// How long the leaf may take to answer before it counts as stuck.
pub(super) const STUCK: Duration = Duration::from_secs(2);

/// Who answers about the routes in the kernel.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
pub(in crate::admin) type Kernel = crate::netlink::NetlinkStatus;
#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
pub(in crate::admin) type Kernel = std::convert::Infallible;

/// What is counted of the kernel; nothing when who counts has ended.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
pub(super) fn kernel(kernel: &Kernel) -> Option<Rows> {
    Some(kernel.get()?.rows())
}

#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
pub(super) fn kernel(kernel: &Kernel) -> Option<Rows> {
    match *kernel {}
}

/// What the pages look at.
#[derive(Clone, Debug)]
pub(in crate::admin) struct Sources {
    pub(in crate::admin) leaf: MetalBond,
    pub(in crate::admin) kernel: Option<Kernel>,
}
