//! The HTTP endpoint: health, metrics, the table as the reference shows it, and the API.
//!
//! Runs on a thread of its own. What it says comes from gauges or from the [`Inspector`], slice by
//! slice, so that no request holds up a shard for longer than one read does. It keeps nothing
//! between two requests, and changes nothing. The control socket is served here as well, by the same
//! pages (`super::control`).

mod api;
mod dump;
mod health;
mod metrics;

use std::future::pending;
use std::net::TcpListener;

use axum::Router;
use axum::routing::get;
use tokio::sync::oneshot;

use super::control;
use super::inspector::Inspector;
use crate::http::serve::serve;
pub(super) use api::{ApiError, params};

/// Serves one or both until `stop` is dropped. On its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: Option<TcpListener>,
    socket: Option<control::Socket>,
    inspector: Inspector,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let open = async {
            if let Some(Ok(listener)) = listener.map(tokio::net::TcpListener::from_std) {
                serve(listener, router(inspector.clone())).await;
            }
            pending::<()>().await;
        };
        let control = async {
            if let Some(socket) = socket {
                control::serve(socket, router(inspector.clone()), inspector.clone()).await;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = open => {}
            () = control => {}
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
