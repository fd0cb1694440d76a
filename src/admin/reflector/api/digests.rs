//! Digests of the tables, by which two reflectors are compared.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use crate::admin::reflector::state::AppState;
use crate::admin::server::listing::OnePage;
use crate::inspector::walk::vnis_with_routes;
use crate::shard::inspect::Cursor;
use crate::wire::Digest;

/// The routes of one VNI: their number, and the sum of their hashes in hexadecimal digits.
#[derive(Debug, Serialize)]
pub(super) struct DigestRow {
    vni: u32,
    routes: u64,
    sum: String,
}

/// The digests of all VNIs with routes, in ascending order. Cost: that of listing all routes, in slices.
pub(super) async fn list(
    State(app): State<AppState>,
) -> Result<Json<OnePage<DigestRow>>, ApiError> {
    let _turn = app.walk().await;
    let mut rows = Vec::new();
    for vni in vnis_with_routes(&app.inspector).await? {
        let mut digest = Digest::default();
        let mut from = Some(Cursor::default());
        while let Some(place) = from {
            let page = app.inspector.destinations(vni, place).await?;
            for row in &page.rows {
                row.next_hops.iter().for_each(|hop| digest.add(&row.destination, hop));
            }
            from = page.next;
        }
        if digest.routes > 0 {
            let sum = format!("{:016x}", digest.sum);
            rows.push(DigestRow { vni: vni.0, routes: digest.routes, sum });
        }
    }
    Ok(Json(rows.into_iter().collect()))
}
