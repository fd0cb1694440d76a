//! The HTTP endpoint: health, metrics, the table as the reference shows it, and the API.
//!
//! Runs on a thread of its own. What it says comes from gauges or from the [`Inspector`], slice by
//! slice, so that no request holds up a shard for longer than one read does. It keeps nothing
//! between two requests, and changes nothing.

mod api;
mod dump;
mod health;
mod metrics;

use std::net::TcpListener;

use axum::Router;
use axum::routing::get;
use tokio::sync::oneshot;

use super::inspector::Inspector;
use crate::http::serve::serve;

/// Serves until `stop` is dropped. On its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: TcpListener,
    inspector: Inspector,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        tokio::select! {
            () = serve(listener, router(inspector)) => {}
            _ = stop => {}
        }
    });
}

fn router(inspector: Inspector) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/healthz", get(health::livez))
        .route("/health", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/routes.json", get(dump::json))
        .route("/routes.yaml", get(dump::yaml))
        .nest("/api/v1", api::router())
        .with_state(inspector)
}
