//! What is counted, together and by shard.

use axum::Json;
use axum::extract::State;

use super::ApiError;
use super::counts::{CountersRow, ShardRow};
use crate::ids::ShardId;
use crate::reflector::inspector::Inspector;

pub(super) async fn counters(
    State(inspector): State<Inspector>,
) -> Result<Json<CountersRow>, ApiError> {
    Ok(Json(inspector.counters().await?.into()))
}

pub(super) async fn list(
    State(inspector): State<Inspector>,
) -> Result<Json<Vec<ShardRow>>, ApiError> {
    let stuck = inspector.stuck();
    let shards = inspector.counters().await?.shards;
    let row = |(id, metrics)| ShardRow::new(id, stuck.contains(&id), metrics);
    Ok(Json((0..).map(ShardId).zip(shards).map(row).collect()))
}
