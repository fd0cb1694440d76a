//! The HTTP endpoint: liveness.
//!
//! Runs on a thread of its own and reads gauges only, so that no request can disturb a shard.

use std::net::TcpListener;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::oneshot;

use super::inspector::Inspector;

/// What the endpoint may look at.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) inspector: Inspector,
}

/// Serves until `stop` is dropped. On its own thread.
pub(super) fn run(
    runtime: &tokio::runtime::Runtime,
    listener: TcpListener,
    sources: Sources,
    stop: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let app = Router::new().route("/livez", get(livez)).with_state(sources);
        let serve = axum::serve(listener, app);
        tokio::select! {
            _ = serve.into_future() => {}
            _ = stop => {}
        }
    });
}

/// 200 while every shard has turned its loop lately, else 503 naming those that have not.
async fn livez(State(sources): State<Sources>) -> (StatusCode, String) {
    let stuck = sources.inspector.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        let stuck: Vec<_> = stuck.iter().map(ToString::to_string).collect();
        (StatusCode::SERVICE_UNAVAILABLE, format!("stuck shards: {}\n", stuck.join(", ")))
    }
}

use std::future::IntoFuture as _;
