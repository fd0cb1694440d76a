//! Counters: their sums, and those of each shard.

use axum::Json;
use axum::extract::State;

use super::ApiError;
use super::counts::{self, ShardRow};
use crate::ids::ShardId;
use crate::inspector::Inspector;

pub(super) async fn counters(
    State(inspector): State<Inspector>,
) -> Result<Json<impl serde::Serialize>, ApiError> {
    Ok(Json(counts::of_all(&inspector.counters().await?)))
}

/// A stuck shard has no numbers: it would not answer.
pub(super) async fn list(
    State(inspector): State<Inspector>,
) -> Result<Json<Vec<ShardRow>>, ApiError> {
    let stuck = inspector.stuck();
    let report = inspector.balance();
    let mut rows = Vec::new();
    for shard in (0..inspector.shards()).map(ShardId) {
        let metrics = match stuck.contains(&shard) {
            true => None,
            false => Some(inspector.counters_of(shard).await?),
        };
        rows.push(ShardRow::new(shard, &report, metrics));
    }
    Ok(Json(rows))
}
