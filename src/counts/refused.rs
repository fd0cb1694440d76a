//! Connections that were not taken, by reason.

use std::collections::BTreeMap;

use crate::metrics::{Rows, Value};
use crate::relaxed::Relaxed;
use crate::session::CloseReason;
use crate::shard::inspect::SESSIONS;

/// The numbers of connections that were refused before they became sessions, since the start, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    /// There were as many sessions as `--max-peers` allows.
    pub max_peers: u64,
    /// The access list denies their source.
    pub denied: u64,
    /// Their source made more connections than `--connect-rate-per-source` allows.
    pub rate: u64,
    /// Their source had as many sessions as `--max-peers-per-source` allows.
    pub per_source: u64,
    /// The reflector was being drained.
    pub draining: u64,
}

impl Refused {
    /// The counts as metrics.
    pub(crate) fn rows(&self) -> Rows {
        let row =
            SESSIONS.named("connections_refused").with(&[("event", "refused")]).by(&["reason"]);
        vec![(row, Value::ByName(self.reasons().into()))]
    }

    /// All counts, by [`CloseReason::name`].
    pub(crate) fn reasons(&self) -> [(&'static str, u64); 5] {
        let [max_peers, per_source, rate] = self.limits();
        let denied = (CloseReason::Denied.name(), self.denied);
        [max_peers, per_source, rate, denied, (CloseReason::Draining.name(), self.draining)]
    }

    /// The counts of limits, by [`CloseReason::name`].
    pub(crate) fn limits(&self) -> [(&'static str, u64); 3] {
        [
            (CloseReason::MaxPeers(0).name(), self.max_peers),
            (CloseReason::MaxPeersPerSource(0).name(), self.per_source),
            (CloseReason::ConnectRate(0).name(), self.rate),
        ]
    }
}

/// The shared counts: written by the acceptor, read by any thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    max_peers: Relaxed,
    denied: Relaxed,
    rate: Relaxed,
    per_source: Relaxed,
    draining: Relaxed,
}

impl Counters {
    pub(crate) fn count(&self, reason: &CloseReason) {
        let counter = match reason {
            CloseReason::MaxPeers(_) => &self.max_peers,
            CloseReason::Denied => &self.denied,
            CloseReason::ConnectRate(_) => &self.rate,
            CloseReason::MaxPeersPerSource(_) => &self.per_source,
            CloseReason::Draining => &self.draining,
            _ => return,
        };
        counter.add(1);
    }

    /// Adds the counts of an earlier process.
    pub(crate) fn go_on_from(&self, counts: &BTreeMap<String, u64>) {
        for (name, counter) in [
            (CloseReason::MaxPeers(0).name(), &self.max_peers),
            (CloseReason::Denied.name(), &self.denied),
            (CloseReason::ConnectRate(0).name(), &self.rate),
            (CloseReason::MaxPeersPerSource(0).name(), &self.per_source),
            (CloseReason::Draining.name(), &self.draining),
        ] {
            counter.add(counts.get(name).copied().unwrap_or_default());
        }
    }

    pub(crate) fn read(&self) -> Refused {
        Refused {
            max_peers: self.max_peers.get(),
            denied: self.denied.get(),
            rate: self.rate.get(),
            per_source: self.per_source.get(),
            draining: self.draining.get(),
        }
    }
}
