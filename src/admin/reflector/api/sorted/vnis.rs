//! VNIs by any of their columns, and by the digits that they begin with.

use serde::Serialize;

use super::best::Found;
use super::key::Columns;
use super::{Best, Sort, SortKey};
use crate::inspector::Inspector;
use crate::inspector::walk::walk;
use crate::shard::inspect::{ROWS_MAX, VniInfo};
use crate::threads::InspectError;

/// The columns by which VNIs can be sorted.
const KEYS: &Columns<VniInfo> = &[
    ("vni", |info| SortKey::default().number(info.vni.0.into())),
    ("routes", |info| SortKey::default().number(info.routes).number(info.vni.0.into())),
    ("members", |info| SortKey::default().number(info.members).number(info.vni.0.into())),
    ("subscribers", |info| SortKey::default().number(info.subscribers).number(info.vni.0.into())),
    ("behind", |info| SortKey::default().number(info.behind).number(info.vni.0.into())),
    ("shard", |info| SortKey::default().number(info.shard.0.into()).number(info.vni.0.into())),
];

impl Sort<VniInfo> {
    /// See [`Sort::named`].
    pub(in crate::admin::reflector::api) fn of_vnis(text: &str) -> Option<Self> {
        Self::named(KEYS, text)
    }
}

/// The sums over all wanted VNIs.
#[derive(Debug, Default, Serialize)]
pub(in crate::admin::reflector::api) struct VniSums {
    routes: u64,
    subscribers: u64,
    /// Subscribers that are behind.
    behind: u64,
}

/// Finds the best of the VNIs whose number begins with some digits.
pub(in crate::admin::reflector::api) async fn vnis(
    inspector: &Inspector,
    digits: &str,
    mut best: Best<VniInfo>,
) -> Result<(Found<VniInfo>, VniSums), InspectError> {
    let mut sums = VniSums::default();
    let list = |from| inspector.vnis(from, ROWS_MAX);
    let offer = |info: VniInfo| {
        if digits.is_empty() || info.vni.to_string().starts_with(digits) {
            sums.routes = sums.routes.saturating_add(info.routes);
            sums.subscribers = sums.subscribers.saturating_add(info.subscribers);
            sums.behind = sums.behind.saturating_add(info.behind);
            best.offer(info);
        }
    };
    walk(list, offer).await?;
    Ok((best.finish(), sums))
}
