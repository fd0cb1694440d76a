//! The blocks that operators have set.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::server::date;
use crate::admin::server::listing::OnePage;
use crate::inspector::Inspector;
use crate::policy::{Block, Blocked};

/// One block.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct BlockRow {
    id: u32,
    /// `peer`, `prefix` or `vni`.
    kind: &'static str,
    /// The blocked peers, prefix or VNI in words.
    of: String,
    since: String,
    until: String,
    left_seconds: f64,
    uid: Option<u32>,
}

impl From<&Block> for BlockRow {
    fn from(block: &Block) -> Self {
        let left = Duration::from_micros(block.until.saturating_sub(date::micros()));
        Self {
            id: block.id,
            kind: match block.what {
                Blocked::Node(_) | Blocked::Source(_) => "peer",
                Blocked::Prefix(..) => "prefix",
                Blocked::Vni(_) => "vni",
            },
            of: block.what.to_string(),
            since: date::precise(block.since),
            until: date::precise(block.until),
            left_seconds: left.as_secs_f64(),
            uid: block.uid,
        }
    }
}

/// All blocks, in the order of their numbers.
pub(super) async fn list(State(inspector): State<Inspector>) -> Json<OnePage<BlockRow>> {
    Json(inspector.blocks().iter().map(BlockRow::from).collect())
}
