//! `/metrics`: counters in the text form of Prometheus.
//!
//! The writer is part of this project ([`crate::metrics`]): each shard owns its counters as plain numbers without
//! atomics, and a metrics library would have to own them instead. `families` has the counters of the reflector that
//! belong to no shard, `peers` those of each peer.

mod families;
mod peers;

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;
use tokio::time::timeout;

use super::api::ApiError;
use super::state::AppState;
use crate::admin::server::process;
use crate::counts::Counters;
use crate::ids::ShardId;
use crate::inspector::Inspector;
use crate::metrics::{self, Text};
use crate::threads::InspectError;

/// The time between checks for stuck shards while an answer is awaited.
const LOOK: Duration = Duration::from_millis(500);

/// The known parameters. Scrapers add parameters of their own, which are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    peers: Option<String>,
}

impl Which {
    fn with_peers(&self) -> Result<bool, ApiError> {
        match self.peers.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(ApiError::Asked("peers: expected 0 or 1".into())),
        }
    }
}

pub(super) async fn metrics(
    State(app): State<AppState>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, ApiError> {
    let with_peers = which?.0.with_peers()?;
    write(app, with_peers).await
}

/// The same without peers.
pub(super) async fn metrics_without_peers(
    State(app): State<AppState>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, ApiError> {
    if which?.0.with_peers()? {
        return Err(ApiError::NotFound("peers are named by --http alone".into()));
    }
    write(app, false).await
}

async fn write(app: AppState, with_peers: bool) -> Result<Response, ApiError> {
    let inspector = app.inspector.clone();
    let (head, text) = ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], own(app).await?);
    if !with_peers {
        return Ok((head, text).into_response());
    }
    let parts = stream::iter([Ok(text)]).chain(peers::text(inspector));
    Ok((head, Body::from_stream(parts)).into_response())
}

/// All metrics but those of single peers.
pub(super) async fn own(
    AppState { inspector, verified, upstream, .. }: AppState,
) -> Result<String, ApiError> {
    let mut text = Text::default();
    let (counters, stuck) = counters(&inspector).await?;
    let federation = inspector.federation().await?;
    let (handovers, backend) = (inspector.handovers(), inspector.backend());
    let proxy = upstream.map(|upstream| upstream.status().rows());
    let further = [federation.map(|federation| federation.rows()), proxy, Some(verified.rows())];
    families::write(&mut text, &counters, &handovers, further, &stuck, backend);
    process::write(&mut text);
    Ok(text.finish())
}

/// The counters, and the stuck shards: their last known counters are used, so that they do not hold up
/// the answers of the others.
async fn counters(inspector: &Inspector) -> Result<(Counters, Vec<ShardId>), InspectError> {
    loop {
        let stuck = inspector.stuck();
        let mut question = pin!(inspector.counters_without(&stuck));
        loop {
            match timeout(LOOK, &mut question).await {
                Ok(counters) => return Ok((counters?, stuck.clone())),
                Err(_) if inspector.stuck() != stuck => break,
                Err(_) => {}
            }
        }
    }
}
