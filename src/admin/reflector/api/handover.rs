//! What became of handovers, and since when sessions have lived.

use axum::Json;
use axum::extract::State;

use crate::reflector::{Handovers, Inspector};

pub(super) async fn handovers(State(inspector): State<Inspector>) -> Json<Handovers> {
    Json(inspector.handovers())
}
