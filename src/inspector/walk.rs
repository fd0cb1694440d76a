//! Listings from their first page to their last.

use std::collections::BinaryHeap;

pub(crate) use super::pages::walk;
use super::{InspectError, Inspector};
use crate::shard::inspect::{ROWS_MAX, VniInfo};
use crate::wire::Vni;

/// The first `most` VNIs with routes, from the first VNI or after `after`, in ascending order. Cost: a listing of all
/// VNIs.
pub(crate) async fn first_vnis_with_routes(
    inspector: &Inspector,
    after: Option<Vni>,
    most: usize,
) -> Result<Vec<Vni>, InspectError> {
    // The last of these VNIs is on top.
    let mut first = BinaryHeap::new();
    let offer = |info: VniInfo| {
        if info.routes > 0 && after.is_none_or(|after| info.vni > after) {
            first.push(info.vni);
            if first.len() > most {
                first.pop();
            }
        }
    };
    walk(|from| inspector.vnis(from, ROWS_MAX), offer).await?;
    let mut vnis = first.into_sorted_vec();
    vnis.dedup();
    Ok(vnis)
}

/// All VNIs with routes, in ascending order.
pub(crate) async fn vnis_with_routes(inspector: &Inspector) -> Result<Vec<Vni>, InspectError> {
    let mut vnis = Vec::new();
    let list = |from| inspector.vnis(from, ROWS_MAX);
    walk(list, |info| vnis.extend((info.routes > 0).then_some(info.vni))).await?;
    vnis.sort_unstable();
    vnis.dedup();
    Ok(vnis)
}
