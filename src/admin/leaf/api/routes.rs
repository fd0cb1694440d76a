//! The routes of a VNI.

use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;

use super::ApiError;
use super::params::{RouteCursor, RoutesAsked, RoutesQuery};
use crate::admin::leaf::sources::Sources;
use crate::admin::server::answer::NextHopRow;
use crate::admin::server::listing::{self, PART, Piece};
use crate::client::{Error as LeafError, RouteStatus};

/// The members after the rows of a page. `next` is the value for `after`, null at the end.
#[derive(Debug, Serialize)]
struct End {
    next: Option<String>,
}

/// A route, and the servers that have it: empty when it is stale.
#[derive(Debug, Serialize)]
pub(super) struct RouteRow {
    vni: u32,
    destination: String,
    next_hop: NextHopRow,
    servers: Vec<String>,
    is_stale: bool,
    stale_seconds: Option<f64>,
    age_seconds: f64,
}

impl From<RouteStatus> for RouteRow {
    fn from(RouteStatus { route, servers, since, stale_since }: RouteStatus) -> Self {
        let seconds = |then: Instant| then.elapsed().as_secs_f64();
        Self {
            vni: route.vni.0,
            destination: route.destination.to_string(),
            next_hop: route.next_hop.into(),
            is_stale: servers.is_empty(),
            servers,
            stale_seconds: stale_since.map(seconds),
            age_seconds: seconds(since),
        }
    }
}

pub(super) async fn list(
    State(Sources { leaf, .. }): State<Sources>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let RoutesQuery { vni, what, within, limit, after } = asked?.0.read()?;
    let after = after.map(|place| place.route(vni));
    let begin = Some((after, limit));
    let pieces = stream::try_unfold((leaf, begin, None), move |(leaf, at, next)| async move {
        let Some((after, left)) = at else {
            let end = next.map(|next| Piece::End(End { next }));
            return Ok(end.map(|end| (end, (leaf, None, None))));
        };
        // One route more than wanted tells whether there is a further page.
        let asked = left.min(PART);
        let mut part = leaf.route_statuses(vni, what, after, asked + 1).await?;
        let has_more = part.len() > asked;
        part.truncate(asked);
        let last = part.last().map(|row| row.route);
        let is_asked_for =
            |row: &RouteStatus| within.is_none_or(|outer| outer.contains(&row.route.destination));
        let rows: Vec<_> = part.into_iter().filter(is_asked_for).map(RouteRow::from).collect();
        let left = left - rows.len();
        let (at, next) = match last.filter(|_| has_more) {
            Some(last) if left > 0 => (Some((Some(last), left)), None),
            last => (None, Some(last.map(|last| RouteCursor::of(&last).to_string()))),
        };
        Ok::<_, LeafError>(Some((Piece::Rows(rows), (leaf, at, next))))
    });
    Ok(listing::respond(pieces).await?)
}
