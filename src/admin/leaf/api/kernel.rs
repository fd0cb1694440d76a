//! The state of the routes in the kernel.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use tokio::time::timeout;

use super::ApiError;
use super::params::Nothing;
use crate::admin::leaf::kernel;
use crate::admin::leaf::kernel_rows::KernelVniRow;
use crate::admin::leaf::sources::{STUCK, Sources};
use crate::metrics::Members;

/// The numbers that the metrics show. Null if the leaf installs no routes.
pub(super) async fn status(
    State(sources): State<Sources>,
    asked: Result<Query<Nothing>, QueryRejection>,
) -> Result<Json<Option<Members>>, ApiError> {
    asked?;
    let row = |of| kernel::counts(of).map(Members).ok_or(ApiError::KernelWriter);
    Ok(Json(sources.kernel.as_ref().map(row).transpose()?))
}

#[derive(Debug, Serialize)]
pub(super) struct KernelVnis {
    rows: Vec<KernelVniRow>,
}

/// The same for each VNI that has a table.
pub(super) async fn vnis(
    State(sources): State<Sources>,
    asked: Result<Query<Nothing>, QueryRejection>,
) -> Result<Json<KernelVnis>, ApiError> {
    asked?;
    let Some(kernel) = &sources.kernel else { return Ok(Json(KernelVnis { rows: Vec::new() })) };
    let rows = timeout(STUCK, kernel::vnis(kernel)).await.map_err(|_| ApiError::KernelSilent)?;
    Ok(Json(KernelVnis { rows: rows.ok_or(ApiError::KernelWriter)? }))
}
