//! Whether it lives, and whether it takes sessions. Gauges only: no shard is asked.

use axum::extract::State;
use axum::http::StatusCode;

use crate::ids::ShardId;
use crate::reflector::inspector::Inspector;

/// 200 while every shard has turned its loop lately, else 503 naming those that have not.
pub(super) async fn livez(State(inspector): State<Inspector>) -> (StatusCode, String) {
    let stuck = inspector.stuck();
    if stuck.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("stuck shards: {}\n", numbers(&stuck)))
    }
}

/// As text.
pub(super) fn numbers(shards: &[ShardId]) -> String {
    let numbers: Vec<_> = shards.iter().map(ToString::to_string).collect();
    numbers.join(", ")
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
