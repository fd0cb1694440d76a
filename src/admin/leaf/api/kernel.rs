//! How it stands with the routes in the kernel.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::ApiError;
use super::params::Nothing;
use crate::admin::leaf::sources::{Sources, kernel};
use crate::metrics::Members;

/// What the metrics have. Null, where routes are not installed.
pub(super) async fn status(
    State(sources): State<Sources>,
    asked: Result<Query<Nothing>, QueryRejection>,
) -> Result<Json<Option<Members>>, ApiError> {
    asked?;
    let row = |of| kernel(of).map(Members).ok_or(ApiError::KernelWriter);
    Ok(Json(sources.kernel.as_ref().map(row).transpose()?))
}
