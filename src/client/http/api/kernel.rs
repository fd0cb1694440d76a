//! How it stands with the routes in the kernel.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::Nothing;
use crate::client::http::{Kernel, Sources};

/// What the metrics have.
#[derive(Debug, Serialize)]
pub(super) struct KernelRow {
    device_up: bool,
    desired: usize,
    installed: usize,
    refused: usize,
    conflicts: usize,
    unusable: BTreeMap<&'static str, usize>,
    nexthop_objects: usize,
    requests: u64,
    refusals: u64,
    repairs: u64,
    reconciles: u64,
    silent_seconds: f64,
}

/// Null, where routes are not installed.
pub(super) async fn status(
    State(sources): State<Sources>,
    asked: Result<Query<Nothing>, QueryRejection>,
) -> Result<Json<Option<KernelRow>>, ApiError> {
    asked?;
    match &sources.kernel {
        None => Ok(Json(None)),
        Some(kernel) => row(kernel).map(|row| Json(Some(row))),
    }
}

#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
fn row(kernel: &Kernel) -> Result<KernelRow, ApiError> {
    let status = kernel.get().ok_or(ApiError::KernelWriter)?;
    Ok(KernelRow {
        device_up: status.device_up,
        desired: status.desired,
        installed: status.installed,
        refused: status.refused,
        conflicts: status.conflicts,
        unusable: status.unusable.into(),
        nexthop_objects: status.objects,
        requests: status.requests,
        refusals: status.refusals,
        repairs: status.repairs,
        reconciles: status.reconciles,
        silent_seconds: status.silent.as_secs_f64(),
    })
}

#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
fn row(kernel: &Kernel) -> Result<KernelRow, ApiError> {
    match *kernel {}
}
