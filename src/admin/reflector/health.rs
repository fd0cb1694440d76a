//! Answers whether the reflector lives and accepts sessions. Reads gauges and asks no shard.

use axum::extract::State;
use axum::http::StatusCode;

use super::api::error::numbers;
use super::state::AppState;

/// 200 while every shard has turned its loop lately, else 503 naming the shards that have not. In a proxy the leaf
/// must answer as well.
pub(super) async fn livez(State(app): State<AppState>) -> (StatusCode, String) {
    let stuck = app.inspector.stuck();
    if !stuck.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("stuck shards: {}\n", numbers(&stuck)));
    }
    match app.upstream {
        Some(upstream) if !upstream.is_alive().await => {
            (StatusCode::SERVICE_UNAVAILABLE, "the leaf does not answer\n".into())
        }
        _ => (StatusCode::OK, "ok\n".into()),
    }
}

/// 200 while the reflector takes new sessions, else 503 with the reason. In a proxy the leaf must also have a complete
/// table of every VNI to which agents subscribe, and a session with a reflector.
pub(super) async fn readyz(State(app): State<AppState>) -> (StatusCode, String) {
    let missing = match (app.inspector.is_ready(), app.upstream) {
        (true, Some(upstream)) => upstream.missing().await,
        (true, None) => None,
        (false, _) if app.inspector.is_draining() => Some("draining".into()),
        (false, _) => Some("not listening".into()),
    };
    match missing {
        None => (StatusCode::OK, "ok\n".into()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing + "\n"),
    }
}
