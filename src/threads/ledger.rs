//! The state of a reflector that belongs to no table and no connection, as a handover passes it on.

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
    /// The number of sessions that draining ends per second, if the reflector drains.
    pub(crate) drains: Option<NonZeroU32>,
    /// The seconds for which the reflector has had sessions, without interruption.
    pub(crate) serving: u32,
    /// The counters of each shard.
    pub(crate) shards: Vec<Saved>,
    /// The counts of refused connections, by reason, and the counters of TLS.
    pub(crate) refused: BTreeMap<String, u64>,
    /// The time at which the first process of the line began to serve, in seconds since 1970.
    pub(crate) since: u64,
    /// The number of handovers in the line of processes.
    pub(crate) generation: u32,
    /// The moment since which no process has served sessions.
    pub(crate) frozen: Moment,
    /// The blocks that operators have set.
    pub(crate) blocks: Blocks,
    /// The ended sessions, and the flight recorder.
    pub(crate) diary: Pages,
}

impl Ledger {
    /// The counters of earlier processes, distributed to `shards` shards.
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

/// The counters of a shard in their saved form.
pub(crate) fn saved(metrics: Metrics) -> Saved {
    // The present contents are not counters: the next process determines them anew.
    let metrics = Metrics { now: Occupancy::default(), ..metrics };
    let mut saved = Saved::new();
    metrics.save(SHARD, &mut saved);
    saved
}

/// The name under which the numbers of a shard are saved.
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
