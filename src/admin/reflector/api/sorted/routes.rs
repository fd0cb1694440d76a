//! Routes by any of their columns, of one VNI or of all.

use super::best::Found;
use super::key::Columns;
use super::{Best, Sort, SortKey};
use crate::inspector::Inspector;
use crate::inspector::walk::{vnis_with_routes, walk};
use crate::shard::inspect::{Lookup, ROWS_MAX, RouteFilter, RouteInfo};
use crate::threads::InspectError;
use crate::wire::Vni;

/// The wanted routes.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct RoutesWanted {
    /// One VNI, or all.
    pub(in crate::admin::reflector::api) vni: Option<Vni>,
    pub(in crate::admin::reflector::api) filter: RouteFilter,
    /// Only the routes that this lookup finds, in each VNI.
    pub(in crate::admin::reflector::api) lookup: Option<Lookup>,
}

/// The columns by which routes can be sorted.
const KEYS: &Columns<RouteInfo> = &[
    ("vni", |route| named(SortKey::default().number(route.vni.0.into()), route)),
    ("destination", |route| named(SortKey::default(), route)),
    ("next_hop", |route| named(SortKey::default().next_hop(&route.next_hop), route)),
    // In full seconds: the walk itself may take a second.
    ("age", |route| named(SortKey::default().number(route.age.as_secs()), route)),
    ("announcer", |route| {
        let primary = route.announcers.first().map_or(0, |peer| peer.0);
        named(SortKey::default().number(primary), route)
    }),
    ("announcer_count", |route| named(SortKey::default().number(route.announcer_count), route)),
];

/// Sorts next by fields that together are unique to a route.
fn named(key: SortKey, route: &RouteInfo) -> SortKey {
    key.destination(&route.destination).next_hop(&route.next_hop).number(route.vni.0.into())
}

impl Sort<RouteInfo> {
    /// See [`Sort::named`].
    pub(in crate::admin::reflector::api) fn of_routes(text: &str) -> Option<Self> {
        Self::named(KEYS, text)
    }
}

/// Finds the best of all wanted routes.
pub(in crate::admin::reflector::api) async fn routes(
    inspector: &Inspector,
    wanted: &RoutesWanted,
    mut best: Best<RouteInfo>,
) -> Result<Found<RouteInfo>, InspectError> {
    for vni in vnis(inspector, wanted).await? {
        if let Some(lookup) = wanted.lookup {
            let rows = inspector.lookup(vni, lookup).await?;
            rows.into_iter()
                .filter(|row| passes(&wanted.filter, row))
                .for_each(|row| best.offer(row));
            continue;
        }
        let list = |from| inspector.routes(vni, wanted.filter, from, ROWS_MAX);
        walk(list, |row| best.offer(row)).await?;
    }
    Ok(best.finish())
}

/// The VNIs to search. The routes of one announcer are in the VNIs in which it takes part.
async fn vnis(inspector: &Inspector, wanted: &RoutesWanted) -> Result<Vec<Vni>, InspectError> {
    if let Some(vni) = wanted.vni {
        return Ok(vec![vni]);
    }
    if let Some(announcer) = wanted.filter.announcer {
        let Some(peer) = inspector.peer(announcer).await? else { return Ok(Vec::new()) };
        let parts = peer.vnis.iter().filter(|part| part.routes > 0);
        return Ok(parts.map(|part| part.vni).collect());
    }
    vnis_with_routes(inspector).await
}

/// Filters the result of a lookup, which does not filter by itself.
fn passes(filter: &RouteFilter, route: &RouteInfo) -> bool {
    let is_via = filter.next_hop.is_none_or(|wanted| route.next_hop.address() == wanted);
    is_via && filter.announcer.is_none_or(|wanted| route.announcers.contains(&wanted))
}
