//! Counters of a reflector: the sums over its shards, the connections that it refused, and TLS.
//!
//! Imports: metrics, relaxed, session, shard, tls.

mod refused;
mod tls;

pub(crate) use self::refused::Counters as RefusedCounters;
pub use self::refused::Refused;
pub(crate) use self::tls::Counters as TlsCounters;
pub use self::tls::TlsCounts;
use crate::session::CloseReason;
use crate::shard::inspect::Metrics;

/// Counters, of each shard and summed up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// The sums over all shards.
    pub total: Metrics,
    /// The counters of each shard, in order.
    pub shards: Vec<Metrics>,
    /// Refused connections, by reason.
    pub refused: Refused,
    /// Counters of TLS.
    pub tls: TlsCounts,
}

impl Counters {
    /// The number of sessions that ended for a reason.
    pub(crate) fn closed(&self, reason: &CloseReason) -> u64 {
        self.total.closed.get(reason.name()).copied().unwrap_or_default()
    }

    /// The number of sessions that a limit ended or refused.
    pub(crate) fn limited(&self, reason: &CloseReason) -> u64 {
        self.total.limits.get(reason.name()).copied().unwrap_or_default()
    }
}
