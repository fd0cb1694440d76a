//! VNIs, their routes, and why a peer has one.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::{self, Asked, ExplainAsked, LookupAsked, RoutesAsked, VnisAsked};
use super::rows::{Listing, RouteRow, VniRow};
use super::sorted;
use crate::reflector::http::Desk;
use crate::reflector::inspector::Inspector;
use crate::shard::inspect::{Page, Verdict};

pub(super) async fn vnis(
    State(desk): State<Desk>,
    asked: Result<Query<VnisAsked>, QueryRejection>,
) -> Result<Json<Listing<VniRow>>, ApiError> {
    Ok(Json(match asked?.0.read()? {
        Asked::Placed(from, limit) => Listing::of(desk.inspector.vnis(from, limit).await?),
        Asked::Sorted(digits, best) => {
            let _turn = desk.walk().await;
            Listing::sorted(sorted::vnis(&desk.inspector, &digits, best).await?)
        }
    }))
}

pub(super) async fn vni(
    State(inspector): State<Inspector>,
    Path(vni): Path<String>,
) -> Result<Json<VniRow>, ApiError> {
    let vni = params::vni("vni", &vni)?;
    let info = inspector.vni(vni).await?;
    let info = info.ok_or_else(|| ApiError::NotFound(format!("nobody takes part in VNI {vni}")))?;
    Ok(Json(info.into()))
}

pub(super) async fn list(
    State(desk): State<Desk>,
    Path(vni): Path<String>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Json<Listing<RouteRow>>, ApiError> {
    let vni = params::vni("vni", &vni)?;
    let (filter, asked) = asked?.0.read(vni)?;
    Ok(Json(match asked {
        Asked::Placed(from, limit) => {
            Listing::of(desk.inspector.routes(vni, filter, from, limit).await?)
        }
        Asked::Sorted(wanted, best) => {
            let _turn = desk.walk().await;
            Listing::sorted(sorted::routes(&desk.inspector, &wanted, best).await?)
        }
    }))
}

/// Routes of all VNIs.
pub(super) async fn search(
    State(desk): State<Desk>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Json<Listing<RouteRow>>, ApiError> {
    let (wanted, best) = asked?.0.read_all()?;
    let _turn = desk.walk().await;
    Ok(Json(Listing::sorted(sorted::routes(&desk.inspector, &wanted, best).await?)))
}

pub(super) async fn lookup(
    State(inspector): State<Inspector>,
    asked: Result<Query<LookupAsked>, QueryRejection>,
) -> Result<Json<Listing<RouteRow>>, ApiError> {
    let (vni, what) = asked?.0.read()?;
    let rows = inspector.lookup(vni, what).await?;
    Ok(Json(Listing::of(Page { rows, next: None })))
}

/// Whether a peer has a route, and the sentences that say why.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    verdict: &'static str,
    reasons: Vec<String>,
}

pub(super) async fn explain(
    State(inspector): State<Inspector>,
    asked: Result<Query<ExplainAsked>, QueryRejection>,
) -> Result<Json<Explained>, ApiError> {
    let (peer, vni, destination, next_hop) = asked?.0.read()?;
    let explanation = inspector.explain(peer, vni, destination, next_hop).await?;
    let verdict = match explanation.verdict {
        Verdict::Sent => "sent",
        Verdict::Waits => "waits",
        Verdict::NotOwed => "not_owed",
    };
    let reasons = explanation.reasons.iter().map(ToString::to_string).collect();
    Ok(Json(Explained { verdict, reasons }))
}
