//! What is neither a table nor a connection.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::diary::Pages;
use crate::ids::Moment;
use crate::metrics::{Measure as _, Row, Saved};
use crate::policy::Blocks;
use crate::shard::inspect::{Metrics, Occupancy};

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ledger {
    /// The number of the latest connection that was accepted.
    pub(crate) serial: u64,
    /// Sessions that end per second, if it drains.
    pub(crate) drains: Option<NonZeroU32>,
    /// Seconds for which there have been sessions.
    pub(crate) serving: u32,
    /// What each shard has counted.
    pub(crate) shards: Vec<Saved>,
    /// Connections that were refused, by reason; and what is counted of TLS.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Seconds since 1970 at which the first process of the line began to serve.
    pub(crate) since: u64,
    /// How many processes have handed over to the next.
    pub(crate) generation: u32,
    /// Since when no session has been served.
    pub(crate) frozen: Moment,
    /// What operators have blocked.
    pub(crate) blocks: Blocks,
    /// How sessions ended, and what happened last.
    pub(crate) diary: Pages,
}

impl Ledger {
    /// What shards counted in earlier processes, for so many shards.
    pub(crate) fn metrics(&self, shards: usize) -> Vec<Metrics> {
        let mut all = vec![Metrics::default(); shards.max(1)];
        for (number, saved) in self.shards.iter().enumerate() {
            let mut metrics = Metrics::default();
            metrics.load(SHARD, &Row::new(), saved);
            let place = number % all.len();
            all[place].merge(&metrics);
        }
        all
    }
}

/// What a shard has counted, as it is saved.
pub(crate) fn saved(metrics: Metrics) -> Saved {
    // What there is now is not counted but looked at.
    let metrics = Metrics { now: Occupancy::default(), ..metrics };
    let mut saved = Saved::new();
    metrics.save(SHARD, &mut saved);
    saved
}

/// Under which name numbers of a shard are saved.
const SHARD: &str = "shard";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counters_of_more_shards_are_kept_by_fewer() {
        let mut metrics = Metrics::default();
        metrics.received.adds = 7;
        metrics.stats.sessions = 3;
        metrics.closed.insert("peer_closed", 2);
        metrics.propagation.record(Duration::from_millis(3));
        metrics.busy = Duration::from_secs(9);
        let mut saved = Saved::new();
        metrics.save(SHARD, &mut saved);
        saved.insert("shard/unheard_of".into(), vec![1]);
        let ledger = Ledger { shards: vec![saved; 3], ..Ledger::default() };
        let all = ledger.metrics(2);
        assert_eq!((all[0].received.adds, all[1].received.adds), (14, 7));
        assert_eq!(all[0].closed.get("peer_closed"), Some(&4));
        assert_eq!((all[1].stats.sessions, all[1].propagation), (3, metrics.propagation));
        assert_eq!(all[1].busy, metrics.busy);
    }
}
