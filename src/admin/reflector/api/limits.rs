//! Limits and settings in force, and how often each was hit: what the rows of
//! [`SETTINGS`] show; limits go first, then times that end sessions.

use axum::Json;
use axum::extract::State;
use serde::{Serialize, Serializer};

use super::ApiError;
use crate::config::InForce;
use crate::config::{SETTINGS, Shown};
use crate::counts::Counters;
use crate::inspector::Inspector;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct LimitsRow {
    in_force: InForce,
    counters: Counters,
}

impl Serialize for LimitsRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = SETTINGS.iter().flat_map(|section| section.all_shown());
        let value =
            |(_, shown): (_, Shown)| (shown.name(), shown.value(&self.in_force, &self.counters));
        let mut values: Vec<_> = shown.map(value).collect();
        values.sort_by_key(|(_, value)| value.rank());
        serializer.collect_map(values)
    }
}

pub(super) async fn limits(
    State(inspector): State<Inspector>,
) -> Result<Json<LimitsRow>, ApiError> {
    let counters = inspector.counters().await?;
    Ok(Json(LimitsRow { in_force: inspector.in_force(), counters }))
}
