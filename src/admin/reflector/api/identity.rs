//! Which reflector this is.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::server::date;
use crate::inspector::Inspector;

/// The members that distinguish one reflector from another.
#[derive(Debug, Serialize)]
pub(super) struct Identity {
    /// The name of its host; null if it has none.
    name: Option<String>,
    version: &'static str,
    process: u32,
    /// Seconds since 1970 at which this process began to serve.
    serving_since: u64,
    uptime_seconds: u64,
    /// How shards drive sockets: `uring` or `epoll`.
    io: String,
    shards: u16,
    is_draining: bool,
    /// The site in the federation.
    site: Option<String>,
    /// How many other reflectors `/api/v1/reflectors` shows.
    others: usize,
}

pub(super) async fn identity(State(inspector): State<Inspector>) -> Json<Identity> {
    let config = inspector.in_force().config;
    let handovers = inspector.handovers();
    let others = config.http_peers.len();
    let is_federated = config.federation.is_wanted();
    Json(Identity {
        name: Some(config.settings.node).filter(|name| !name.is_empty()),
        version: handovers.version,
        process: handovers.process,
        serving_since: handovers.serving_since,
        uptime_seconds: date::seconds().saturating_sub(handovers.serving_since),
        io: inspector.backend().to_string(),
        shards: inspector.shards(),
        is_draining: inspector.is_draining(),
        site: config.federation.site.filter(|_| is_federated),
        others,
    })
}
