//! The questions of the leaf's endpoint about the routes in the kernel.

use super::kernel_rows::{Installed, KernelVniRow, LeftOut, RouteInKernel};
use crate::client::Route;
use crate::metrics::Rows;
use crate::netlink::{KernelRoute, KernelVerdict, KernelVni, Omitted};
use crate::wire::{Destination, Vni};

/// The handle that reads the state of the routes in the kernel.
pub(in crate::admin) type Kernel = crate::netlink::NetlinkStatus;

/// The numbers of the kernel; `None` when the writer has ended.
pub(super) fn counts(kernel: &Kernel) -> Option<Rows> {
    Some(kernel.get()?.rows())
}

/// The state of the routes of each VNI; `None` when the writer has ended.
pub(super) async fn vnis(kernel: &Kernel) -> Option<Vec<KernelVniRow>> {
    let row = |it: KernelVni| KernelVniRow {
        vni: it.vni.0,
        table: it.table,
        wanted: it.wanted,
        installed: it.installed,
        refused: it.refused,
        conflicts: it.conflicts,
        shadowed: it.shadowed,
        pending: it.pending,
        excluded: it.excluded,
        unusable: it.unusable,
    };
    Some(kernel.vnis().await?.into_iter().map(row).collect())
}

/// The state of the route to a destination; `routes` are announced for it. `None` when the writer has ended, and
/// `Some(None)` when the VNI has no table.
pub(super) async fn route(
    kernel: &Kernel,
    vni: Vni,
    destination: Destination,
    routes: Vec<Route>,
) -> Option<Option<RouteInKernel>> {
    let found = kernel.route(vni, destination, routes).await?;
    Some(found.map(|KernelRoute { table, metric, verdict, installed, left_out, .. }| {
        let (state, why) = match verdict {
            KernelVerdict::Installed => ("installed", None),
            KernelVerdict::Refused(why) => ("refused", Some(why)),
            KernelVerdict::Conflict(why) => ("conflict", Some(why)),
            KernelVerdict::Shadowed(vni) => (
                "shadowed",
                Some(format!("VNI {vni}, which has the same table, announces the destination too")),
            ),
            KernelVerdict::Pending(why) => ("pending", Some(why)),
            KernelVerdict::NotWanted => ("not_wanted", None),
        };
        let installed = installed.map(|it| Installed {
            next_hops: it.next_hops,
            since_seconds: it.since.as_secs_f64(),
            was_found: it.was_found,
        });
        let left_out = left_out.into_iter().map(|it| LeftOut {
            route: it.route,
            is_excluded: it.omitted == Omitted::Excluded,
            words: it.words,
        });
        RouteInKernel { table, metric, state, why, installed, left_out: left_out.collect() }
    }))
}
