//! The results of handovers, and how long there have been sessions.

use axum::Json;
use axum::extract::State;

use crate::inspector::Inspector;
use crate::threads::Handovers;

pub(super) async fn handovers(State(inspector): State<Inspector>) -> Json<Handovers> {
    Json(inspector.handovers())
}
