//! Peers and their subscriptions.

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, StreamExt as _};

use super::ApiError;
use super::named;
use super::params::{Asked, Peers, PeersAsked, SubscriptionsAsked};
use super::rows::{self, PeerRow, PeerVniRow, Short, SubscriptionRow, Sums};
use super::sorted;
use crate::admin::reflector::state::AppState;
use crate::inspector::Inspector;
use crate::shard::inspect::PeerInfo;
use crate::threads::InspectError;
use crate::wire::Vni;

pub(super) async fn list(
    State(app): State<AppState>,
    asked: Result<Query<PeersAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    match asked?.0.read()? {
        Peers::Named(name) => rows::all::<PeerRow, _>(app.inspector.find_peer(&name).await?).await,
        Peers::Page { is_slow, from, limit } => {
            let list = move |from, limit| {
                let inspector = app.inspector.clone();
                async move {
                    let mut page = inspector.peers(from, limit).await?;
                    page.rows.retain(|peer| !is_slow || peer.is_slow);
                    Ok(page)
                }
            };
            rows::placed::<PeerRow, _, _>(list, from, limit, Short::GoesOn).await
        }
        Peers::Sorted(wanted, best) => {
            let turn = app.walk().await;
            let (found, sums) = sorted::peers(&app.inspector, &wanted, best).await?;
            drop(turn);
            rows::sorted::<PeerRow, _>(found, Some(Sums::Peers(sums))).await
        }
    }
}

/// A session, by its number or another name, with its part in every VNI, some VNIs at a time.
pub(super) async fn detail(
    State(inspector): State<Inspector>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let info = named::session(&inspector, &id?).await?;
    let row = serde_json::to_string(&PeerRow::from(info.clone())).unwrap_or_default();
    let begin = format!("{},\"vnis\":[", row.strip_suffix('}').unwrap_or_default());
    let head = [(CONTENT_TYPE, "application/json")];
    let text = stream::iter([Ok(begin)]).chain(vnis(inspector, info));
    let text = text.chain(stream::iter([Ok("]}".to_owned())]));
    Ok((head, Body::from_stream(text)).into_response())
}

/// The rows of a peer's VNIs, part by part.
fn vnis(
    inspector: Inspector,
    info: PeerInfo,
) -> impl stream::Stream<Item = Result<String, InspectError>> + Send {
    let begin = (inspector, info, Some(Vni(0)), false);
    let parts = stream::try_unfold(begin, |(inspector, info, from, mut has_rows)| async move {
        let Some(from) = from else { return Ok(None) };
        let (parts, next) = inspector.parts_of(&info, from).await?;
        let mut text = String::new();
        for part in parts {
            text.push_str(if has_rows { "," } else { "" });
            // Numbers only: it cannot fail.
            text.push_str(&serde_json::to_string(&PeerVniRow::from(part)).unwrap_or_default());
            has_rows = true;
        }
        Ok::<_, InspectError>(Some((text, (inspector, info, next, has_rows))))
    });
    // An empty chunk would end the answer.
    parts.filter(|text| std::future::ready(!text.as_ref().is_ok_and(String::is_empty)))
}

pub(super) async fn subscriptions(
    State(app): State<AppState>,
    asked: Result<Query<SubscriptionsAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (vni, asked) = asked?.0.read()?;
    match asked {
        Asked::Placed(from, limit) => {
            let list = move |from, limit| {
                let inspector = app.inspector.clone();
                async move { sorted::placed(&inspector, vni, from, limit).await }
            };
            rows::placed::<SubscriptionRow, _, _>(list, from, limit, Short::GoesOn).await
        }
        Asked::Sorted(wanted, best) => {
            let turn = app.walk().await;
            let found = sorted::subscribers(&app.inspector, &wanted, best).await?;
            drop(turn);
            rows::sorted::<SubscriptionRow, _>(found, None).await
        }
    }
}
