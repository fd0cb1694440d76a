//! Whether it lives, and whether it takes sessions. Gauges only: no shard is asked.

use axum::extract::State;
use axum::http::StatusCode;

use crate::reflector::inspector::Inspector;

/// 200 while every shard has turned its loop lately, else 503 naming those that have not.
pub(super) async fn livez(State(inspector): State<Inspector>) -> (StatusCode, String) {
    let stuck = inspector.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        let stuck: Vec<_> = stuck.iter().map(ToString::to_string).collect();
        (StatusCode::SERVICE_UNAVAILABLE, format!("stuck shards: {}\n", stuck.join(", ")))
    }
}

/// 200 while new sessions are taken, else 503 saying why not.
pub(super) async fn readyz(State(inspector): State<Inspector>) -> (StatusCode, &'static str) {
    if inspector.is_ready() {
        (StatusCode::OK, "ok\n")
    } else if inspector.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not listening\n")
    }
}
