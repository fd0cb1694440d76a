//! Peers and their subscriptions.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::ApiError;
use super::params::{self, Asked, Peers, PeersAsked, SubscriptionsAsked};
use super::rows::{Listing, PeerDetailRow, PeerRow, SubscriptionRow};
use super::sorted;
use crate::reflector::http::Desk;
use crate::reflector::inspector::Inspector;
use crate::shard::inspect::Page;

pub(super) async fn list(
    State(desk): State<Desk>,
    asked: Result<Query<PeersAsked>, QueryRejection>,
) -> Result<Json<Listing<PeerRow>>, ApiError> {
    let Desk { inspector, .. } = &desk;
    Ok(Json(match asked?.0.read()? {
        Peers::Named(name) => {
            Listing::of(Page { rows: inspector.find_peer(&name).await?, next: None })
        }
        Peers::Page { is_slow, from, limit } => {
            let mut page = inspector.peers(from, limit).await?;
            page.rows.retain(|peer| !is_slow || peer.is_slow);
            Listing::of(page)
        }
        Peers::Sorted(wanted, best) => {
            let _turn = desk.walk().await;
            Listing::sorted(sorted::peers(inspector, &wanted, best).await?)
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
    State(desk): State<Desk>,
    asked: Result<Query<SubscriptionsAsked>, QueryRejection>,
) -> Result<Json<Listing<SubscriptionRow>>, ApiError> {
    let Desk { inspector, .. } = &desk;
    let (vni, asked) = asked?.0.read()?;
    Ok(Json(match asked {
        Asked::Placed(from, limit) => {
            Listing::of(sorted::placed(inspector, vni, from, limit).await?)
        }
        Asked::Sorted(wanted, best) => {
            let _turn = desk.walk().await;
            Listing::sorted(sorted::subscribers(inspector, &wanted, best).await?)
        }
    }))
}
