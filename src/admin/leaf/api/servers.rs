//! Servers, and the routes that each has sent.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;

use super::ApiError;
use super::params::Nothing;
use crate::admin::leaf::sources::Sources;
use crate::client::PeerStatus;

/// The most VNIs named for each server.
const NAMED: usize = 1000;

#[derive(Debug, Serialize)]
pub(super) struct Servers {
    rows: Vec<ServerRow>,
}

/// A server. `whole` names the first VNIs whose complete table it has sent, `whole_count` is the number
/// of all such VNIs, and `vnis` the number of subscribed VNIs.
#[derive(Debug, Serialize)]
struct ServerRow {
    address: String,
    state: String,
    since_seconds: f64,
    node: String,
    agent: String,
    keepalive_seconds: Option<f64>,
    last_keepalive_seconds: Option<f64>,
    sessions: u64,
    last_error: Option<String>,
    messages_skipped: BTreeMap<&'static str, u64>,
    whole: Vec<u32>,
    whole_count: usize,
    vnis: usize,
}

impl ServerRow {
    fn new(
        address: String,
        status: PeerStatus,
        (whole, whole_count): (Vec<u32>, usize),
        vnis: usize,
    ) -> Self {
        let since = |then: Instant| then.elapsed().as_secs_f64();
        Self {
            address,
            state: status.state.to_string().to_lowercase(),
            since_seconds: since(status.since),
            node: status.node,
            agent: status.agent,
            keepalive_seconds: status.keepalive_interval.map(|interval| interval.as_secs_f64()),
            last_keepalive_seconds: status.keepalive_received.map(since),
            sessions: status.sessions,
            last_error: status.last_error.map(|error| error.to_string()),
            messages_skipped: status.skipped,
            whole,
            whole_count,
            vnis,
        }
    }
}

pub(super) async fn list(
    State(sources): State<Sources>,
    asked: Result<Query<Nothing>, QueryRejection>,
) -> Result<Json<Servers>, ApiError> {
    asked?;
    let mut whole: BTreeMap<String, (Vec<u32>, usize)> = BTreeMap::new();
    let mut vnis = 0;
    let look = |status: crate::client::VniStatus| {
        vnis += 1;
        for server in status.in_sync {
            let (named, count) = whole.entry(server).or_default();
            *count += 1;
            if named.len() < NAMED {
                named.push(status.vni.0);
            }
        }
    };
    sources.each_vni(look).await?;
    let peers = sources.leaf.peers().await?.into_iter();
    let rows = peers.map(|(address, status)| {
        let whole = whole.remove(&address).unwrap_or_default();
        ServerRow::new(address, status, whole, vnis)
    });
    Ok(Json(Servers { rows: rows.collect() }))
}
