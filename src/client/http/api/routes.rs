//! The routes of a VNI.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::{Place, Routes, RoutesAsked};
use crate::client::RouteStatus;
use crate::client::http::Sources;
use crate::http::answer::NextHopRow;

/// Rows that the leaf is asked for at once.
const PART: usize = 512;

/// A page of routes. `next` is what to give as `after`, null at the end.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    rows: Vec<RouteRow>,
    next: Option<String>,
}

/// A route, and the servers that have it: none, when it is stale.
#[derive(Debug, Serialize)]
struct RouteRow {
    vni: u32,
    destination: String,
    next_hop: NextHopRow,
    servers: Vec<String>,
    is_stale: bool,
}

impl From<RouteStatus> for RouteRow {
    fn from(RouteStatus { route, servers }: RouteStatus) -> Self {
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            is_stale: servers.is_empty(),
            servers,
        }
    }
}

pub(super) async fn list(
    State(sources): State<Sources>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Json<Listing>, ApiError> {
    let Routes { vni, what, limit, after } = asked?.0.read()?;
    let mut after = after.map(|place| place.route(vni));
    let mut found = Vec::new();
    // One more than wanted tells whether there is a further page.
    while found.len() <= limit {
        let room = PART.min(limit + 1 - found.len());
        let part = sources.leaf.route_statuses(vni, what, after, room).await?;
        let is_last = part.len() < room;
        found.extend(part);
        after = found.last().map(|row| row.route);
        if is_last {
            break;
        }
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|row| Place::of(&row.route).to_string());
    Ok(Json(Listing { rows: found.into_iter().map(RouteRow::from).collect(), next }))
}
