//! VNIs, their routes, and why a peer has one.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Serialize;

use super::ApiError;
use super::named;
use super::params::{self, Asked, FilteredAsked, LookupAsked, RoutesAsked, VnisAsked};
use super::rows::{self, FilteredRow, RouteRow, Short, Sums, VniRow};
use super::sorted::{self, Best, RoutesWanted};
use crate::admin::reflector::state::AppState;
use crate::admin::server::asked::ExplainAsked;
use crate::inspector::Inspector;
use crate::shard::inspect::{RouteInfo, Verdict};

pub(super) async fn vnis(
    State(app): State<AppState>,
    asked: Result<Query<VnisAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    match asked?.0.read()? {
        Asked::Placed(from, limit) => {
            let list = move |from, limit| {
                let inspector = app.inspector.clone();
                async move { inspector.vnis(from, limit).await }
            };
            rows::placed::<VniRow, _, _>(list, from, limit, Short::GoesOn).await
        }
        Asked::Sorted(digits, best) => {
            let turn = app.walk().await;
            let (found, sums) = sorted::vnis(&app.inspector, &digits, best).await?;
            drop(turn);
            rows::sorted::<VniRow, _>(found, Some(Sums::Vnis(sums))).await
        }
    }
}

pub(super) async fn vni(
    State(inspector): State<Inspector>,
    vni: Result<Path<String>, PathRejection>,
) -> Result<Json<VniRow>, ApiError> {
    let vni = params::vni("vni", &vni?)?;
    let info = inspector.vni(vni).await?;
    let info = info.ok_or_else(|| {
        ApiError::NotFound(format!("no peer announces in VNI {vni} or subscribes to it"))
    })?;
    Ok(Json(info.into()))
}

pub(super) async fn list(
    State(app): State<AppState>,
    vni: Result<Path<String>, PathRejection>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let vni = params::vni("vni", &vni?)?;
    let asked = asked?.0.named(&app.inspector).await?;
    let (filter, asked) = asked.read(vni)?;
    match asked {
        Asked::Placed(from, limit) => {
            let list = move |from, limit| {
                let inspector = app.inspector.clone();
                async move { inspector.routes(vni, filter, from, limit).await }
            };
            rows::placed::<RouteRow, _, _>(list, from, limit, Short::Ends).await
        }
        Asked::Sorted(wanted, best) => sorted(&app, &wanted, best).await,
    }
}

/// Routes of a VNI that the policy or a block refuses.
pub(super) async fn filtered(
    State(app): State<AppState>,
    vni: Result<Path<String>, PathRejection>,
    asked: Result<Query<FilteredAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let vni = params::vni("vni", &vni?)?;
    let (from, limit) = asked?.0.read()?;
    let list = move |from, limit| {
        let inspector = app.inspector.clone();
        async move { inspector.filtered(vni, from, limit).await }
    };
    rows::placed::<FilteredRow, _, _>(list, from, limit, Short::Ends).await
}

/// Routes of all VNIs.
pub(super) async fn search(
    State(app): State<AppState>,
    asked: Result<Query<RoutesAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = asked?.0.named(&app.inspector).await?;
    let (wanted, best) = asked.read_all()?;
    sorted(&app, &wanted, best).await
}

async fn sorted(
    app: &AppState,
    wanted: &RoutesWanted,
    best: Best<RouteInfo>,
) -> Result<Response, ApiError> {
    let turn = app.walk().await;
    let found = sorted::routes(&app.inspector, wanted, best).await?;
    drop(turn);
    rows::sorted::<RouteRow, _>(found, None).await
}

pub(super) async fn lookup(
    State(inspector): State<Inspector>,
    asked: Result<Query<LookupAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (vni, what) = asked?.0.read()?;
    rows::all::<RouteRow, _>(inspector.lookup(vni, what).await?).await
}

/// Whether a peer has a route, and the sentences that give the reasons.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    verdict: &'static str,
    reasons: Vec<String>,
}

pub(super) async fn explain(
    State(inspector): State<Inspector>,
    asked: Result<Query<ExplainAsked>, QueryRejection>,
) -> Result<Json<Explained>, ApiError> {
    let asked = asked?.0;
    let peer = params::required("peer", asked.peer.as_deref())?;
    let (vni, destination, next_hop) = asked.route()?;
    let peer = named::session(&inspector, peer).await?.id;
    let explanation = inspector.explain(peer, vni, destination, next_hop).await?;
    let verdict = match explanation.verdict {
        Verdict::Sent => "sent",
        Verdict::Waits => "waits",
        Verdict::NotOwed => "not_owed",
    };
    let name = |peer| inspector.name_of(peer);
    let reasons = explanation.reasons.iter().map(|reason| reason.sentence(&name)).collect();
    Ok(Json(Explained { verdict, reasons }))
}
