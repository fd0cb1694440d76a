//! The other sites, and how they are reached.

use axum::Json;
use axum::extract::State;

use super::ApiError;
use crate::federation::FederationStatus;
use crate::inspector::Inspector;

/// Null without federation.
pub(super) async fn federation(
    State(inspector): State<Inspector>,
) -> Result<Json<Option<FederationStatus>>, ApiError> {
    Ok(Json(inspector.federation().await?))
}
