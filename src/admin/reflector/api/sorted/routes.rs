//! Routes by any of their columns, of one VNI or of all.

use super::best::Found;
use super::key::Columns;
use super::{Best, Sort, SortKey};
use crate::inspector::Inspector;
use crate::inspector::walk::{vnis_with_routes, walk};
use crate::shard::inspect::{Lookup, ROWS_MAX, RouteFilter, RouteInfo};
use crate::threads::InspectError;
use crate::wire::Vni;

/// Which routes.
#[derive(Debug)]
pub(in crate::admin::reflector::api) struct RoutesWanted {
    /// Of all VNIs unless given.
    pub(in crate::admin::reflector::api) vni: Option<Vni>,
    pub(in crate::admin::reflector::api) filter: RouteFilter,
    /// Of these alone, in each VNI.
    pub(in crate::admin::reflector::api) lookup: Option<Lookup>,
}

/// What routes are sorted by.
const KEYS: &Columns<RouteInfo> = &[
    ("vni", |route| named(SortKey::default().number(route.vni.0.into()), route)),
    ("destination", |route| named(SortKey::default(), route)),
    ("next_hop", |route| named(SortKey::default().next_hop(&route.next_hop), route)),
    // To the second, of which the time of the walk itself may take one.
    ("age", |route| named(SortKey::default().number(route.age.as_secs()), route)),
    ("announcer", |route| {
        let primary = route.announcers.first().map_or(0, |peer| peer.0);
        named(SortKey::default().number(primary), route)
    }),
    ("announcer_count", |route| named(SortKey::default().number(route.announcer_count), route)),
];

/// Then by what no two routes have in common.
fn named(key: SortKey, route: &RouteInfo) -> SortKey {
    key.destination(&route.destination).next_hop(&route.next_hop).number(route.vni.0.into())
}

impl Sort<RouteInfo> {
    /// See [`Sort::named`].
    pub(in crate::admin::reflector::api) fn of_routes(text: &str) -> Option<Self> {
        Self::named(KEYS, text)
    }
}

/// Goes through all that are wanted for the best ones.
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

/// Where to look. Those of one announcer are where it takes part.
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

/// What a lookup found has not been filtered yet.
fn passes(filter: &RouteFilter, route: &RouteInfo) -> bool {
    let is_via = filter.next_hop.is_none_or(|wanted| route.next_hop.address() == wanted);
    is_via && filter.announcer.is_none_or(|wanted| route.announcers.contains(&wanted))
}
