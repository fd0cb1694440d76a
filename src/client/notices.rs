//! The log lines about sessions and tables, for an operator of the host.
//!
//! State: the number of lines about tables that were logged lately. The tables of thousands of VNIs may arrive at once,
//! so of many lines in a second only the number is logged.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::core::Dropped;
use crate::wire::Vni;

/// The most lines about tables in [`LINES_TIME`].
const LINES_MAX: usize = 20;
const LINES_TIME: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// When the first of the latest lines was written.
    since: Option<Instant>,
    count: usize,
}

impl Notices {
    /// The table of a VNI has come from a server, the first to send it.
    pub(super) fn table(&mut self, now: Instant, vni: Vni, peer: &str, routes: usize) {
        self.since.get_or_insert(now);
        self.count += 1;
        if self.count <= LINES_MAX {
            info!(vni = vni.0, peer, routes, "the table of a VNI is complete");
        }
    }

    /// When [`Self::end`] is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + LINES_TIME)
    }

    /// Logs the number of tables without a line of their own, if it is time.
    pub(super) fn end(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            match self.take_others() {
                0 => {}
                more => info!(more, "further tables are complete"),
            }
        }
    }

    fn take_others(&mut self) -> usize {
        std::mem::take(self).count.saturating_sub(LINES_MAX)
    }
}

/// The last session with a server has ended.
pub(super) fn lost(peer: &str, routes: usize, stale_time: Duration) {
    warn!(
        peer,
        routes,
        stale_time = ?stale_time,
        "the last server is lost: the leaf keeps its routes until a server is back or the stale \
         time is over"
    );
}

/// Stale routes have gone.
pub(super) fn dropped(Dropped { expired, unknown }: Dropped) {
    if expired > 0 {
        warn!(
            routes = expired,
            "the stale time is over: the leaf removes the routes that no server has"
        );
    }
    if unknown > 0 {
        info!(
            routes = unknown,
            "stale routes removed: the servers have sent complete tables without them"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_tables_are_a_few_lines_and_a_number() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        for vni in 0..1000 {
            notices.table(start, Vni(vni), "rr1:4711", 1);
        }
        notices.end(start);
        assert_eq!(notices.due(), Some(start + LINES_TIME));
        assert_eq!(notices.take_others(), 1000 - LINES_MAX);
        assert_eq!(notices.due(), None);
        notices.table(start, Vni(1), "rr1:4711", 1);
        notices.end(start + LINES_TIME);
        assert_eq!(notices.due(), None);
    }
}
