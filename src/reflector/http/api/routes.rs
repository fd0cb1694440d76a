//! VNIs, their routes, and why a peer has one.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::{self, ExplainAsked, LookupAsked, Paging, RoutesAsked};
use super::rows::{Listing, RouteRow, VniRow};
use crate::reflector::inspector::Inspector;
use crate::shard::inspect::{Page, Verdict};

pub(super) async fn vnis(
    State(inspector): State<Inspector>,
    asked: Result<Query<Paging>, QueryRejection>,
) -> Result<Json<Listing<VniRow>>, ApiError> {
    let (from, limit) = asked?.0.read()?;
    Ok(Json(Listing::of(inspector.vnis(from, limit).await?)))
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
    State(inspector): State<Inspector>,
    Path(vni): Path<String>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Json<Listing<RouteRow>>, ApiError> {
    let vni = params::vni("vni", &vni)?;
    let (filter, from, limit) = asked?.0.read()?;
    Ok(Json(Listing::of(inspector.routes(vni, filter, from, limit).await?)))
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
