//! Digests of the tables, by which two reflectors are compared.

use axum::extract::State;
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::ApiError;
use crate::admin::reflector::state::AppState;
use crate::admin::server::listing::{self, Piece};
use crate::inspector::Inspector;
use crate::inspector::walk::vnis_with_routes;
use crate::shard::inspect::Cursor;
use crate::threads::InspectError;
use crate::wire::{Digest, Vni};

/// The routes of one VNI: their number, and the sum of their hashes in hexadecimal digits.
#[derive(Debug, Serialize)]
struct DigestRow {
    vni: u32,
    routes: u64,
    sum: String,
}

/// The member after the rows.
#[derive(Debug, Serialize)]
struct End {
    next: Option<String>,
}

/// The digests of all VNIs with routes, in ascending order. Cost: that of listing all routes, in slices, as far as the
/// reader reads.
pub(super) async fn list(State(app): State<AppState>) -> Result<Response, ApiError> {
    let vnis = vnis_with_routes(&app.inspector).await?;
    let rows = stream::iter(vnis).then(move |vni| {
        let app = app.clone();
        async move {
            let _turn = app.walk().await;
            let row = row(&app.inspector, vni).await?;
            Ok(Piece::Rows(row.into_iter().collect()))
        }
    });
    let end = stream::once(async { Ok(Piece::End(End { next: None })) });
    Ok(listing::respond::<DigestRow, End, InspectError>(rows.chain(end)).await?)
}

/// The digest of a VNI; `None` if the VNI has no routes any more.
async fn row(inspector: &Inspector, vni: Vni) -> Result<Option<DigestRow>, InspectError> {
    let mut digest = Digest::default();
    let mut from = Some(Cursor::default());
    while let Some(place) = from {
        let page = inspector.destinations(vni, place).await?;
        for row in &page.rows {
            row.next_hops.iter().for_each(|hop| digest.add(&row.destination, hop));
        }
        from = page.next;
    }
    let sum = format!("{:016x}", digest.sum);
    Ok((digest.routes > 0).then_some(DigestRow { vni: vni.0, routes: digest.routes, sum }))
}
