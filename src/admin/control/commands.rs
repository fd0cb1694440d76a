//! The commands that a reflector accepts over its control socket and nowhere else. The answer to a command shows the
//! state that results from it.
//!
//! Commands take their parameters from the query string, so `curl --unix-socket` can send them.

use std::num::NonZeroU32;
use std::path::PathBuf;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tracing::{Level, info};

use super::blocks;
use crate::admin::reflector::api::policy::{Trial, try_policy};
use crate::admin::reflector::api::{error::ApiError, named, params};
use crate::config::InForce;
use crate::diary::Detail;
use crate::ids::PeerId;
use crate::inspector::Inspector;
use crate::policy::Policy;
use crate::shard::inspect::PeerInfo;
use crate::threads::Handovers;

/// Sessions ended per second by default.
const RATE: NonZeroU32 = NonZeroU32::new(100).unwrap();

pub(super) fn router() -> Router<Inspector> {
    Router::new()
        .route("/reset", post(reset))
        .route("/drain", get(draining).post(drain))
        .route("/undrain", post(undrain))
        .route("/log", post(log))
        .route("/handover", post(handover))
        .route("/policy/try", post(policy))
        .route("/block", post(blocks::block))
        .route("/unblock", post(blocks::unblock))
        .fallback(async || ApiError::NotFound("there is no such command".into()))
        .method_not_allowed_fallback(async || ApiError::OnlyPost)
}

/// The same without the commands that change anything.
pub(super) fn router_for_readers() -> Router<Inspector> {
    let refuse = async || ApiError::ReadersOnly;
    Router::new()
        .route("/drain", get(draining).post(refuse))
        .route("/reset", post(refuse))
        .route("/undrain", post(refuse))
        .route("/log", post(refuse))
        .route("/handover", post(refuse))
        .route("/policy/try", post(refuse))
        .route("/block", post(refuse))
        .route("/unblock", post(refuse))
        .fallback(async || ApiError::NotFound("there is no such command".into()))
        .method_not_allowed_fallback(async || ApiError::OnlyPost)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetAsked {
    peer: Option<String>,
}

#[derive(Debug, Serialize)]
struct Reset {
    peer: u64,
}

/// Ends a session; the peer may come back at once.
async fn reset(
    State(inspector): State<Inspector>,
    asked: Result<Query<ResetAsked>, QueryRejection>,
) -> Result<Json<Reset>, ApiError> {
    let ResetAsked { peer } = asked?.0;
    let named = params::required("peer", peer.as_deref())?;
    let PeerInfo { id: peer, node, .. } = named::session(&inspector, named).await?;
    if !inspector.close_peer(peer).await? {
        return Err(no_peer(peer));
    }
    info!(%peer, node, "session reset over the control socket");
    Ok(Json(Reset { peer: peer.0 }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainAsked {
    rate: Option<String>,
}

/// `connections` counts all held connections, `sessions` those that have begun with a HELLO.
#[derive(Debug, Serialize)]
struct Draining {
    is_draining: bool,
    sessions: u64,
    connections: u64,
}

impl Draining {
    fn of(inspector: &Inspector) -> Json<Self> {
        let InForce { sessions, connections, .. } = inspector.in_force();
        Json(Self { is_draining: inspector.is_draining(), sessions, connections })
    }
}

async fn draining(State(inspector): State<Inspector>) -> Json<Draining> {
    Draining::of(&inspector)
}

/// Takes no new sessions, and ends the existing ones at a rate per second.
async fn drain(
    State(inspector): State<Inspector>,
    asked: Result<Query<DrainAsked>, QueryRejection>,
) -> Result<Json<Draining>, ApiError> {
    let DrainAsked { rate } = asked?.0;
    let rate = params::optional("rate", "a number from 1 on", rate.as_deref())?.unwrap_or(RATE);
    inspector.drain(rate);
    info!(
        rate,
        "draining: the reflector takes no new sessions, and ends existing ones at this rate per second"
    );
    Ok(Draining::of(&inspector))
}

async fn undrain(State(inspector): State<Inspector>) -> Json<Draining> {
    inspector.undrain();
    info!("not draining: the reflector takes new sessions");
    Draining::of(&inspector)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogAsked {
    level: Option<String>,
    peer: Option<String>,
}

#[derive(Debug, Serialize)]
struct Log {
    level: &'static str,
    peer: Option<u64>,
}

/// Sets the log level, for all or for one session until it ends.
async fn log(
    State(inspector): State<Inspector>,
    asked: Result<Query<LogAsked>, QueryRejection>,
) -> Result<Json<Log>, ApiError> {
    let LogAsked { level, peer } = asked?.0;
    let (level, name) = level_of(params::required("level", level.as_deref())?)?;
    let peer = match peer.as_deref() {
        Some(text) => Some(named::session(&inspector, text).await?.id),
        None => None,
    };
    match peer {
        None => inspector.set_log_level(level).map_err(ApiError::Refused)?,
        Some(peer) => {
            let detail = match level {
                Level::TRACE => Some(Detail::Messages),
                Level::DEBUG => Some(Detail::Summaries),
                _ => None,
            };
            if !inspector.follow(peer, detail).await? {
                return Err(no_peer(peer));
            }
        }
    }
    Ok(Json(Log { level: name, peer: peer.map(|peer| peer.0) }))
}

/// Lists the routes and sessions that another policy would refuse, and changes nothing. The body of the request is a
/// configuration file with that policy in its table `[policy]`.
async fn policy(State(inspector): State<Inspector>, text: String) -> Result<Json<Trial>, ApiError> {
    let policy = Policy::read(&text).map_err(|wrong| {
        let sentences: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        ApiError::Asked(sentences.join("; "))
    })?;
    Ok(Json(try_policy(&inspector, &policy).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandoverAsked {
    to: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Successor {
    process: u32,
    #[serde(flatten)]
    before: Handovers,
}

/// Starts a process that takes over all sessions. The answer comes when that process has started;
/// `/api/v1/handover` has the outcome.
async fn handover(
    State(inspector): State<Inspector>,
    asked: Result<Query<HandoverAsked>, QueryRejection>,
) -> Result<Json<Successor>, ApiError> {
    let HandoverAsked { to } = asked?.0;
    let before = inspector.handovers();
    if before.is_under_way {
        return Err(ApiError::Refused("a handover is under way already".to_owned()));
    }
    let process = inspector.start_successor(to.as_deref()).map_err(ApiError::Refused)?;
    info!(process, "started a successor over the control socket");
    Ok(Json(Successor { process, before }))
}

fn level_of(text: &str) -> Result<(Level, &'static str), ApiError> {
    let known = [
        (Level::ERROR, "error"),
        (Level::WARN, "warn"),
        (Level::INFO, "info"),
        (Level::DEBUG, "debug"),
        (Level::TRACE, "trace"),
    ];
    let found = known.into_iter().find(|(_, name)| *name == text);
    found.ok_or_else(|| params::wrong("level", "error, warn, info, debug or trace", text).into())
}

fn no_peer(peer: PeerId) -> ApiError {
    ApiError::NotFound(format!("there is no peer {}", peer.0))
}
