//! The numbers of a proxy.

use axum::Json;
use axum::extract::State;

use crate::admin::reflector::state::AppState;
use crate::metrics::Members;

/// Null in a reflector outside of a proxy.
pub(super) async fn proxy(State(app): State<AppState>) -> Json<Option<Members>> {
    Json(app.upstream.map(|upstream| Members(upstream.status().rows())))
}
