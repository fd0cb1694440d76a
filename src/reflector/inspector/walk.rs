//! Listings from their first page to their last.

use std::future::Future;

use super::{InspectError, Inspector, PAGE_MAX};
use crate::shard::inspect::{Cursor, Page};
use crate::wire::Vni;

/// Hands over every row of a listing. `list` is asked for the page from a place on.
pub(in crate::reflector) async fn walk<T, F>(
    list: impl Fn(Cursor) -> F,
    mut each: impl FnMut(T),
) -> Result<(), InspectError>
where
    F: Future<Output = Result<Page<T>, InspectError>>,
{
    let mut from = Some(Cursor::default());
    while let Some(cursor) = from {
        let page = list(cursor).await?;
        page.rows.into_iter().for_each(&mut each);
        from = page.next;
    }
    Ok(())
}

/// All VNIs with routes, in ascending order.
pub(in crate::reflector) async fn vnis_with_routes(
    inspector: &Inspector,
) -> Result<Vec<Vni>, InspectError> {
    let mut vnis = Vec::new();
    let list = |from| inspector.vnis(from, PAGE_MAX);
    walk(list, |info| vnis.extend((info.routes > 0).then_some(info.vni))).await?;
    vnis.sort_unstable();
    vnis.dedup();
    Ok(vnis)
}
