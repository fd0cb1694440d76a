//! Limits and settings in force, and how often each was hit.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use crate::CloseReason;
use crate::reflector::inspector::{Counters, InForce, Inspector};

/// A limit. Null is any number. Of some it is known how much is in use.
#[derive(Debug, Serialize)]
struct Limit {
    limit: Option<u64>,
    used: Option<u64>,
    hits: u64,
}

/// A time after which a session ends.
#[derive(Debug, Serialize)]
struct Patience {
    seconds: f64,
    hits: u64,
}

/// Who may connect.
#[derive(Debug, Serialize)]
struct AccessRow {
    allowed_prefixes: u64,
    denied_prefixes: u64,
    hits: u64,
}

/// Hits count since the start: sessions ended, and connections refused.
#[derive(Debug, Serialize)]
pub(super) struct LimitsRow {
    max_peers: Limit,
    max_routes_per_peer: Limit,
    max_subscriptions_per_peer: Limit,
    max_peers_per_source: Limit,
    connect_rate_per_source: Limit,
    access: AccessRow,
    send_hold: Patience,
    keepalive: Patience,
    batch_delay_seconds: f64,
    is_pacing: bool,
    pace_bytes_per_second: u64,
}

impl LimitsRow {
    fn new(InForce { settings, keepalive, sessions, .. }: &InForce, counters: &Counters) -> Self {
        let count = |reason: &CloseReason| {
            counters.total.limits.get(reason.name()).copied().unwrap_or_default()
        };
        let closed = |reason: &CloseReason| {
            counters.total.closed.get(reason.name()).copied().unwrap_or_default()
        };
        let limit = |limit, reason| Limit { limit: Some(limit), used: None, hits: count(&reason) };
        let per_source = |limit: u64, reason| Limit {
            limit: (limit > 0).then_some(limit),
            used: None,
            hits: count(&reason),
        };
        let rate = settings.access.connect_rate_per_source;
        let (allowed_prefixes, denied_prefixes) = settings.access.list.sizes();
        Self {
            max_peers: Limit {
                used: Some(*sessions),
                ..limit(settings.max_peers, CloseReason::MaxPeers(0))
            },
            max_routes_per_peer: limit(settings.limits.routes_per_peer, CloseReason::MaxRoutes(0)),
            max_subscriptions_per_peer: limit(
                settings.limits.subscriptions_per_peer,
                CloseReason::MaxSubscriptions(0),
            ),
            max_peers_per_source: per_source(
                settings.access.max_peers_per_source,
                CloseReason::MaxPeersPerSource(0),
            ),
            connect_rate_per_source: per_source(rate.into(), CloseReason::ConnectRate(0)),
            access: AccessRow {
                allowed_prefixes,
                denied_prefixes,
                hits: counters.refused.denied + closed(&CloseReason::Denied),
            },
            send_hold: Patience {
                seconds: settings.send_hold.as_secs_f64(),
                hits: closed(&CloseReason::SendHold(settings.send_hold)),
            },
            keepalive: Patience {
                seconds: keepalive.as_secs_f64(),
                hits: closed(&CloseReason::HoldTime(*keepalive)),
            },
            batch_delay_seconds: settings.batch_delay.as_secs_f64(),
            is_pacing: settings.pacing,
            pace_bytes_per_second: settings.pace,
        }
    }
}

pub(super) async fn limits(
    State(inspector): State<Inspector>,
) -> Result<Json<LimitsRow>, ApiError> {
    let counters = inspector.counters().await?;
    Ok(Json(LimitsRow::new(&inspector.in_force(), &counters)))
}
