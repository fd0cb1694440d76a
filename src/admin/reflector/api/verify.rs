//! Whether leaves have the routes that they should have.

use std::collections::HashMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::named;
use super::params::{vni, wrong};
use super::wanted::kinds;
use crate::admin::reflector::state::AppState;
use crate::admin::server::listing::{self, Piece};
use crate::ids::PeerId;
use crate::shard::inspect::{Difference, LeafReport, LeafState};
use crate::threads::InspectError;
use crate::wire::{Installed, Vni};

/// The most rows of an answer.
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyAsked {
    vni: Option<String>,
    peer: Option<String>,
    state: Option<String>,
}

/// A leaf and one VNI.
#[derive(Debug, Serialize)]
struct LeafRow {
    peer: u64,
    name: String,
    vni: u32,
    state: &'static str,
    /// The kind of the difference: `routes`, `kernel`, `old` or `missing`.
    difference: Option<String>,
    /// The difference in words.
    detail: &'static str,
    routes_owed: Option<u64>,
    routes_reported: Option<u64>,
    kernel_wanted: Option<u64>,
    kernel_accepted: Option<u64>,
    kernel_left_out: Option<u64>,
    report_age_seconds: Option<f64>,
}

/// The numbers of leaves, each counted by the worst of its VNIs.
#[derive(Debug, Default, Serialize)]
struct Leaves {
    agrees: u64,
    differs: u64,
    behind: u64,
    silent: u64,
}

/// The members after the rows: the number of further rows that were left out, and the sums of all.
#[derive(Debug, Serialize)]
struct End {
    next: Option<String>,
    rows_left_out: u64,
    leaves: Leaves,
}

impl From<LeafReport> for LeafRow {
    fn from(report: LeafReport) -> Self {
        let installed = |of: fn(Installed) -> u64| report.installed.map(of);
        Self {
            peer: report.peer.0,
            vni: report.vni.0,
            state: report.state.name(),
            difference: match report.state {
                LeafState::Differs(difference) => Some(difference.to_string()),
                _ => None,
            },
            detail: detail(report.state),
            routes_owed: report.owed,
            routes_reported: report.reported,
            kernel_wanted: installed(|it| it.wanted),
            kernel_accepted: installed(|it| it.accepted),
            kernel_left_out: installed(|it| it.left_out),
            report_age_seconds: report.age.map(|age| age.as_secs_f64()),
            name: report.name,
        }
    }
}

fn detail(state: LeafState) -> &'static str {
    match state {
        LeafState::Silent => "the peer does not report, or receives its own routes (echo)",
        LeafState::Agrees => "the leaf has the routes that it should have",
        LeafState::Behind => "changes are on their way to the leaf, its kernel, or back",
        LeafState::Differs(Difference::Routes) => "the leaf has other routes than it was sent",
        LeafState::Differs(Difference::Kernel) => "the kernel of the leaf lacks routes",
        LeafState::Differs(Difference::Old) => "the report is older than the latest change",
        LeafState::Differs(Difference::Missing) => "the leaf reports other VNIs, but not this one",
    }
}

/// Compares one VNI after the other.
struct Comparison {
    app: AppState,
    vnis: std::vec::IntoIter<Vni>,
    peer: Option<PeerId>,
    /// The states whose rows are wanted; none means all.
    wanted: Vec<String>,
    worst: HashMap<PeerId, LeafState>,
    rows: usize,
    rows_left_out: u64,
    is_over: bool,
}

impl Comparison {
    /// The rows of the next VNI, or the end.
    async fn next(&mut self) -> Result<Option<Piece<LeafRow, End>>, InspectError> {
        let Some(vni) = self.vnis.next() else {
            let was_over = std::mem::replace(&mut self.is_over, true);
            return Ok((!was_over).then(|| Piece::End(self.end())));
        };
        let _turn = self.app.walk().await;
        let mut rows = Vec::new();
        for report in self.app.inspector.verify(vni, self.peer).await? {
            let state = self.worst.entry(report.peer).or_insert(report.state);
            *state = report.state.max(*state);
            let name = report.state.name();
            if !self.wanted.is_empty() && !self.wanted.iter().any(|state| state == name) {
                continue;
            }
            if self.rows < ROWS_MAX {
                self.rows += 1;
                rows.push(LeafRow::from(report));
            } else {
                self.rows_left_out += 1;
            }
        }
        Ok(Some(Piece::Rows(rows)))
    }

    fn end(&self) -> End {
        let mut leaves = Leaves::default();
        for state in self.worst.values() {
            *match state {
                LeafState::Silent => &mut leaves.silent,
                LeafState::Agrees => &mut leaves.agrees,
                LeafState::Behind => &mut leaves.behind,
                LeafState::Differs(_) => &mut leaves.differs,
            } += 1;
        }
        End { next: None, rows_left_out: self.rows_left_out, leaves }
    }
}

/// A row for each subscription. Cost: that of listing all routes of the VNIs that leaves report, in slices, as far as
/// the reader reads.
pub(super) async fn list(
    State(app): State<AppState>,
    asked: Result<Query<VerifyAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let asked = asked?.0;
    let wanted = kinds(asked.state.as_deref());
    let is_state = |text: &str| LeafState::NAMES.contains(&text);
    if let Some(other) = wanted.iter().find(|state| !is_state(state)) {
        let expected = "agrees, differs, behind or silent, or several with commas";
        return Err(wrong("state", expected, other).into());
    }
    let vni = asked.vni.as_deref().map(|text| vni("vni", text)).transpose()?;
    let peer = match asked.peer.as_deref() {
        Some(text) => Some(named::session(&app.inspector, text).await?),
        None => None,
    };
    let turn = app.walk().await;
    let vnis = match vni {
        Some(vni) => vec![vni],
        None => app.inspector.subscribed_vnis(peer.as_ref()).await?,
    };
    drop(turn);
    let comparison = Comparison {
        app,
        vnis: vnis.into_iter(),
        peer: peer.map(|peer| peer.id),
        wanted,
        worst: HashMap::new(),
        rows: 0,
        rows_left_out: 0,
        is_over: false,
    };
    let pieces = stream::try_unfold(comparison, |mut comparison| async move {
        Ok(comparison.next().await?.map(|piece| (piece, comparison)))
    });
    Ok(listing::respond::<LeafRow, End, InspectError>(pieces).await?)
}
