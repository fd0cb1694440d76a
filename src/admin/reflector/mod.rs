//! The reflector's HTTP endpoint: the operator's page, health, metrics, the table in the forms of the reference, and
//! the API.
//!
//! It runs on a thread of its own. Its answers come from gauges or from the [`Inspector`], slice by slice, so no
//! request holds up a shard for longer than one read does. A request changes nothing, and nothing of it is kept. The
//! endpoint keeps only the last minutes of the counters (`live`) and the latest answers of other reflectors (`others`).
//! The same code serves the control sockets (`admin::control`) and the endpoint that has only health and metrics.

pub(super) mod api;
mod dump;
pub(super) mod gated;
mod health;
mod live;
mod metrics;
mod others;
mod page;
mod state;
mod streams;
pub(super) mod stuck;
mod verifier;

use std::future::pending;
use std::net::TcpListener;

use api::ApiError;
use axum::Router;
use axum::routing::get;
use gated::Gated;
use stuck::given_up;
use tokio::sync::oneshot;

use self::state::AppState;
use self::verifier::{Verified, Verifier};
use super::control;
use super::upstream::ProxyUpstream;
use crate::admin::server::{self, entry::EntryRule, serve::serve};
use crate::http_guard::HttpGuard;
use crate::inspector::{Doors, Inspector};

/// Serves all endpoints until `stop` is dropped. Runs on its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    doors: Doors<control::Socket>,
    guard: HttpGuard,
    inspector: Inspector,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let (recorder, history) = live::recorder(inspector.clone());
        let verified = Verified::default();
        let verifier = Verifier::new(inspector.clone(), verified.clone());
        let app = AppState::new(inspector.clone(), history, verified, None);
        let over_tcp = async |listener: Option<TcpListener>, entry, router| {
            if let Some(Ok(listener)) = listener.map(tokio::net::TcpListener::from_std) {
                serve(Gated::new(listener, inspector.clone()), entry, router).await;
            }
            pending::<()>().await;
        };
        let over_socket = async |socket| {
            if let Some(socket) = socket {
                control::serve(socket, router(app.clone()), inspector.clone()).await;
            }
            pending::<()>().await;
        };
        let Doors { http, health, control, readers } = doors;
        tokio::select! {
            () = over_tcp(http, EntryRule::Bearing(guard.clone()), router(app.clone())) => {}
            () = over_tcp(health, EntryRule::Named(guard), health_router(app.clone())) => {}
            () = over_socket(control) => {}
            () = over_socket(readers) => {}
            _ = stop => {}
            () = recorder.run() => {}
            () = verifier.run() => {}
        }
    });
}

/// Health, and metrics without peers.
fn health_router(app: AppState) -> Router {
    let inspector = app.inspector.clone();
    let pages = server::health(get(health::livez), get(health::readyz))
        .route("/metrics", get(metrics::metrics_without_peers))
        .method_not_allowed_fallback(async || ApiError::ReadOnly)
        .fallback(async || {
            ApiError::NotFound("this endpoint (--health) serves only health and metrics".into())
        })
        .with_state(app);
    given_up(pages, inspector)
}

/// The router of a reflector that is part of a proxy, and the tasks that must run beside it.
pub(super) fn pages(
    inspector: Inspector,
    upstream: Option<ProxyUpstream>,
) -> (Router, impl Future<Output = ()>) {
    let (recorder, history) = live::recorder(inspector.clone());
    let verified = Verified::default();
    let verifier = Verifier::new(inspector.clone(), verified.clone());
    let beside = async move {
        tokio::join!(recorder.run(), verifier.run());
    };
    (router(AppState::new(inspector, history, verified, upstream)), beside)
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
