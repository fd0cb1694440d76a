//! The HTTP endpoint: the operator's page, health, metrics, the table as the reference shows it, and
//! the API.
//!
//! Runs on a thread of its own. What it says comes from gauges or from the [`Inspector`], slice by
//! slice, so that no request holds up a shard for longer than one read does. It keeps nothing
//! of a request, and changes nothing; what it does keep is the last minutes of the counters
//! (`live`). The control socket is served here as well, by the same pages (`admin::control`).

pub(super) mod api;
mod dump;
pub(super) mod gated;
mod health;
mod live;
mod metrics;
mod page;
mod state;
mod streams;
pub(super) mod stuck;

use std::future::pending;
use std::net::TcpListener;

use axum::Router;
use axum::routing::get;
use tokio::sync::oneshot;

use self::state::AppState;
use super::control;
use crate::admin::server::{self, serve::serve};
use crate::reflector::Inspector;
use api::ApiError;
use gated::Gated;
use stuck::given_up;

/// Serves one or both until `stop` is dropped. On its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: Option<TcpListener>,
    socket: Option<control::Socket>,
    inspector: Inspector,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let (recorder, history) = live::recorder(inspector.clone());
        let app = AppState::new(inspector.clone(), history);
        let open = async {
            if let Some(Ok(listener)) = listener.map(tokio::net::TcpListener::from_std) {
                let listener = Gated::new(listener, inspector.clone());
                serve(listener, router(app.clone())).await;
            }
            pending::<()>().await;
        };
        let control = async {
            if let Some(socket) = socket {
                control::serve(socket, router(app.clone()), inspector.clone()).await;
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = open => {}
            () = control => {}
            _ = stop => {}
            () = recorder.run() => {}
        }
    });
}

fn router(app: AppState) -> Router {
    let inspector = app.inspector.clone();
    let pages = server::health(get(health::livez), get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/routes.json", get(dump::json))
        .route("/routes.yaml", get(dump::yaml))
        .merge(page::router())
        .method_not_allowed_fallback(async || ApiError::ReadOnly)
        .nest("/api/v1", api::router())
        .fallback(async || ApiError::NotFound("there is no such page".into()))
        .with_state(app);
    given_up(pages, inspector)
}
