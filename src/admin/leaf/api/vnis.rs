//! The VNIs that are subscribed to, and what is missing of each.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;

use super::ApiError;
use super::params::{VnisAsked, VnisQuery};
use crate::admin::leaf::sources::Sources;
use crate::admin::server::listing::{self, Piece};
use crate::client::{Error as LeafError, VniStatus};
use crate::wire::Vni;

/// The most VNIs requested from the leaf at once.
const PART: usize = 256;

/// The members after the rows of a page. `next` is the value for `after`, null at the end; `total`, `routes`, `refused`
/// and `not_whole` cover all VNIs, whatever the parameters.
#[derive(Debug, Default, Serialize)]
struct End {
    next: Option<String>,
    total: u64,
    routes: u64,
    refused: u64,
    not_whole: u64,
}

/// A VNI. It is whole when the leaf has one server's complete table of it; `awaited` are connected servers whose
/// table is incomplete, `missing` says why the VNI is not whole.
#[derive(Debug, Serialize)]
struct VniRow {
    vni: u32,
    routes: usize,
    stale: usize,
    refused: usize,
    is_whole: bool,
    in_sync: Vec<String>,
    awaited: Vec<String>,
    missing: Option<String>,
}

impl VniRow {
    fn new(status: VniStatus, connected: &[String]) -> Self {
        let VniStatus { vni, routes, stale, refused, in_sync } = status;
        let awaited = connected.iter().filter(|server| !in_sync.contains(server));
        let awaited: Vec<_> = awaited.cloned().collect();
        let is_whole = !in_sync.is_empty();
        let missing = match &*awaited {
            _ if is_whole => None,
            [] => Some("no server is connected".to_owned()),
            _ => Some(format!("the table has not come from {} yet", awaited.join(" or "))),
        };
        Self { vni: vni.0, routes, stale, refused, is_whole, in_sync, awaited, missing }
    }
}

pub(super) async fn list(
    State(sources): State<Sources>,
    asked: Result<Query<VnisAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = asked?.0.read()?;
    let connected = sources.connected().await?;
    let end = End::default();
    let walk = VniWalk { sources, asked, connected, last: None, found: 0, last_row: None, end };
    let pieces = stream::try_unfold(Some(walk), |walk| async {
        let Some(mut walk) = walk else { return Ok(None) };
        let part = walk.sources.leaf.vni_statuses(walk.last, PART).await?;
        let Some(last) = part.last() else { return Ok(Some((Piece::End(walk.end), None))) };
        walk.last = Some(last.vni);
        let rows = part.into_iter().filter_map(|status| walk.row(status)).collect();
        Ok::<_, LeafError>(Some((Piece::Rows(rows), Some(walk))))
    });
    Ok(listing::respond(pieces).await?)
}

/// A walk over every VNI, in order.
#[derive(Debug)]
struct VniWalk {
    sources: Sources,
    asked: VnisQuery,
    connected: Vec<String>,
    /// The last VNI looked at.
    last: Option<Vni>,
    /// The number of rows of the page so far, and the VNI of the last one.
    found: usize,
    last_row: Option<Vni>,
    end: End,
}

impl VniWalk {
    /// Counts a VNI, and makes a row of it if it is wanted and there is room.
    fn row(&mut self, status: VniStatus) -> Option<VniRow> {
        let Self { asked, end, .. } = self;
        let is_whole = !status.in_sync.is_empty();
        end.total += 1;
        end.routes += status.routes as u64;
        end.refused += status.refused as u64;
        end.not_whole += u64::from(!is_whole);
        let is_asked_for = asked.vni.is_none_or(|vni| vni == status.vni)
            && asked.whole.is_none_or(|whole| whole == is_whole)
            && asked.after.is_none_or(|after| after < status.vni);
        if !is_asked_for {
            return None;
        }
        if self.found == asked.limit {
            end.next = end.next.take().or_else(|| self.last_row.map(|vni| vni.to_string()));
            return None;
        }
        self.found += 1;
        self.last_row = Some(status.vni);
        Some(VniRow::new(status, &self.connected))
    }
}
