//! Sessions that have ended, and the flight recorder.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::ApiError;
use super::params::optional;
use super::wanted::{kinds, named};
use crate::admin::server::date;
use crate::admin::server::listing;
use crate::diary::{ClosedSession, Recorded, RecordedFilter};
use crate::inspector::Inspector;
use crate::threads::InspectError;

/// Rows of a page by default.
const LIMIT: usize = 100;

/// The parameters of a listing of ended sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClosedAsked {
    peer: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

/// The parameters of a listing of recorded events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecorderAsked {
    limit: Option<String>,
    event: Option<String>,
    peer: Option<String>,
    after: Option<String>,
}

/// A session that has ended.
#[derive(Debug, Serialize)]
struct ClosedRow {
    peer: u64,
    node: Box<str>,
    remote: SocketAddr,
    ended_at: String,
    ended_ago_seconds: f64,
    lasted_seconds: f64,
    established_seconds: Option<f64>,
    reason: Box<str>,
    detail: Box<str>,
    routes: u64,
    subscriptions: u64,
    updates_received: u64,
    adds_sent: u64,
    removes_sent: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl From<Arc<ClosedSession>> for ClosedRow {
    fn from(session: Arc<ClosedSession>) -> Self {
        let ago = Duration::from_micros(date::micros().saturating_sub(session.ended));
        Self {
            peer: session.peer.0,
            node: session.node.clone(),
            remote: session.remote,
            ended_at: date::precise(session.ended),
            ended_ago_seconds: ago.as_secs_f64(),
            lasted_seconds: session.lasted.as_secs_f64(),
            established_seconds: session.established.map(|time| time.as_secs_f64()),
            reason: session.reason.clone(),
            detail: session.detail.clone(),
            routes: session.routes,
            subscriptions: session.subscriptions,
            updates_received: session.updates_received,
            adds_sent: session.adds_sent,
            removes_sent: session.removes_sent,
            bytes_received: session.bytes_received,
            bytes_sent: session.bytes_sent,
        }
    }
}

/// An event of the recorder.
#[derive(Debug, Serialize)]
struct RecordedRow {
    at: String,
    event: Cow<'static, str>,
    peer: Option<u64>,
    node: Box<str>,
    detail: Box<str>,
}

impl From<Arc<Recorded>> for RecordedRow {
    fn from(event: Arc<Recorded>) -> Self {
        Self {
            at: date::precise(event.at),
            event: event.kind.clone(),
            peer: event.peer.map(|peer| peer.0),
            node: event.node.clone(),
            detail: event.text.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Next {
    next: Option<String>,
}

/// The member after the events of the recorder.
#[derive(Debug, Serialize)]
struct Latest {
    next: Option<String>,
    /// The value for `after` to go on.
    latest: Option<String>,
}

/// Ended sessions, the latest first.
pub(super) async fn list(
    State(inspector): State<Inspector>,
    asked: Result<Query<ClosedAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let ClosedAsked { peer, cursor, limit } = asked?.0;
    let from = optional("cursor", "the value next of an earlier page", cursor.as_deref())?;
    let limit = optional("limit", "a number", limit.as_deref())?.unwrap_or(LIMIT);
    let peer = peer.as_deref().map(str::trim);
    let is_wanted = |session: &ClosedSession| peer.is_none_or(|peer| session.is_named(peer));
    let page = inspector.closed_sessions(from, limit, is_wanted);
    let rows = page.rows.into_iter().map(ClosedRow::from);
    let next = page.next.map(|next| next.to_string());
    Ok(listing::respond(listing::of::<_, _, InspectError>(rows, Next { next })).await?)
}

/// Recorded events, the oldest first.
pub(super) async fn recorder(
    State(inspector): State<Inspector>,
    asked: Result<Query<RecorderAsked>, QueryRejection>,
) -> Result<Response, ApiError> {
    let RecorderAsked { limit, event, peer, after } = asked?.0;
    let limit = optional("limit", "a number", limit.as_deref())?.unwrap_or(usize::MAX);
    let after = optional("after", "the value latest of an earlier answer", after.as_deref())?;
    let (kinds, peer) = (kinds(event.as_deref()), named(peer.as_deref()));
    let filter = RecordedFilter { kinds, peer, after };
    let (rows, latest) = inspector.recorded_events(&filter, limit);
    let rows = rows.into_iter().map(RecordedRow::from);
    let end = Latest { next: None, latest: latest.map(|at| at.to_string()) };
    Ok(listing::respond(listing::of::<_, _, InspectError>(rows, end)).await?)
}
