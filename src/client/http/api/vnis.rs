//! The VNIs that are subscribed to, and what is missing of each.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::VnisAsked;
use crate::client::VniStatus;
use crate::client::http::Sources;

/// A page of VNIs. `next` is what to give as `after`, null at the end; `total`, `routes` and
/// `not_whole` are of all VNIs, whatever was asked for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Listing {
    rows: Vec<VniRow>,
    next: Option<String>,
    total: u64,
    routes: u64,
    not_whole: u64,
}

/// A VNI. It is whole when one server's table of it is here; `awaited` are connected servers whose
/// table is not, `missing` says why it is not whole.
#[derive(Debug, Serialize)]
struct VniRow {
    vni: u32,
    routes: usize,
    stale: usize,
    is_whole: bool,
    in_sync: Vec<String>,
    awaited: Vec<String>,
    missing: Option<String>,
}

impl VniRow {
    fn new(status: VniStatus, connected: &[String]) -> Self {
        let VniStatus { vni, routes, stale, in_sync } = status;
        let awaited = connected.iter().filter(|server| !in_sync.contains(server));
        let awaited: Vec<_> = awaited.cloned().collect();
        let is_whole = !in_sync.is_empty();
        let missing = match &*awaited {
            _ if is_whole => None,
            [] => Some("no server is connected".to_owned()),
            _ => Some(format!("the table has not come from {} yet", awaited.join(" or "))),
        };
        Self { vni: vni.0, routes, stale, is_whole, in_sync, awaited, missing }
    }
}

pub(super) async fn list(
    State(sources): State<Sources>,
    asked: Result<Query<VnisAsked>, QueryRejection>,
) -> Result<Json<Listing>, ApiError> {
    let asked = asked?.0.read()?;
    let connected = sources.connected().await?;
    let mut listing = Listing::default();
    let look = |status: VniStatus| {
        let is_whole = !status.in_sync.is_empty();
        listing.total += 1;
        listing.routes += status.routes as u64;
        listing.not_whole += u64::from(!is_whole);
        let is_asked_for = asked.vni.is_none_or(|vni| vni == status.vni)
            && asked.whole.is_none_or(|whole| whole == is_whole)
            && asked.after.is_none_or(|after| after < status.vni);
        if !is_asked_for {
            return;
        }
        if listing.rows.len() < asked.limit {
            listing.rows.push(VniRow::new(status, &connected));
        } else if listing.next.is_none() {
            listing.next = listing.rows.last().map(|row| row.vni.to_string());
        }
    };
    sources.each_vni(look).await?;
    Ok(Json(listing))
}
