//! Peers and their subscriptions.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::ApiError;
use super::params::{self, Asked, PeersAsked, SubscriptionsAsked};
use super::rows::{Listing, PeerDetailRow, PeerRow, SubscriptionRow};
use super::sorted;
use crate::reflector::http::Desk;
use crate::reflector::inspector::Inspector;

pub(super) async fn list(
    State(desk): State<Desk>,
    asked: Result<Query<PeersAsked>, QueryRejection>,
) -> Result<Json<Listing<PeerRow>>, ApiError> {
    Ok(Json(match asked?.0.read()? {
        Asked::Placed(from, limit) => Listing::of(desk.inspector.peers(from, limit).await?),
        Asked::Sorted(wanted, best) => {
            let _turn = desk.walk().await;
            Listing::sorted(sorted::peers(&desk.inspector, &wanted, best).await?)
        }
    }))
}

pub(super) async fn detail(
    State(inspector): State<Inspector>,
    Path(id): Path<String>,
) -> Result<Json<PeerDetailRow>, ApiError> {
    let id = params::peer("peer", &id)?;
    let detail = inspector.peer(id).await?;
    let detail = detail.ok_or_else(|| ApiError::NotFound(format!("there is no peer {}", id.0)))?;
    Ok(Json(detail.into()))
}

pub(super) async fn subscriptions(
    State(inspector): State<Inspector>,
    asked: Result<Query<SubscriptionsAsked>, QueryRejection>,
) -> Result<Json<Listing<SubscriptionRow>>, ApiError> {
    let (vni, from, limit) = asked?.0.read()?;
    Ok(Json(Listing::of(inspector.subscriptions(vni, from, limit).await?)))
}
