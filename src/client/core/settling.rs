//! The time after a server has come while there are stale routes: until its tables have arrived, the leaf does not know
//! which of these routes the server has.
//!
//! During this time a destination that has moved has both next hops; after it, the stale one is removed. A reader that
//! cannot have both, because it deletes by destination whatever the next hop, gets no changes during this time.

use std::time::Duration;

use super::{Leaf, adj_rib_in::AdjRibIn};
use crate::ids::Moment;

/// The longest time of settling.
const SETTLING: Duration = Duration::from_secs(5);

impl Leaf {
    /// A session has begun: settling begins if there are stale routes.
    pub(super) fn settle(&mut self, now: Moment) {
        if self.adj_ribs_in.values().any(AdjRibIn::has_stale) {
            self.settling = Some(now + SETTLING);
        }
    }

    /// Ends settling if the tables have come. Cost while settling: a look at each VNI for each server.
    pub(super) fn look_whether_settled(&mut self, now: Moment) {
        let Some(until) = self.settling else { return };
        let awaits = |rib: &AdjRibIn| {
            rib.has_stale() && self.sessions.keys().any(|slot| !rib.is_in_sync(*slot))
        };
        if now >= until || !self.adj_ribs_in.values().any(awaits) {
            self.settling = None;
        }
    }

    /// Whether tables are on their way that may replace stale routes.
    pub(in crate::client) fn is_settling(&self) -> bool {
        self.settling.is_some()
    }
}
