//! Replaces `kernel` in a build that installs no routes: values of these types never exist.

use super::kernel_rows::{KernelVniRow, RouteInKernel};
use crate::client::Route;
use crate::metrics::Rows;
use crate::wire::{Destination, Vni};

/// The handle that reads the state of the routes in the kernel.
pub(in crate::admin) type Kernel = std::convert::Infallible;

/// The numbers of the kernel.
pub(super) fn counts(kernel: &Kernel) -> Option<Rows> {
    match *kernel {}
}

/// The state of the routes of each VNI.
pub(super) async fn vnis(kernel: &Kernel) -> Option<Vec<KernelVniRow>> {
    match *kernel {}
}

/// The state of the route to a destination.
pub(super) async fn route(
    kernel: &Kernel,
    _: Vni,
    _: Destination,
    _: Vec<Route>,
) -> Option<Option<RouteInKernel>> {
    match *kernel {}
}
