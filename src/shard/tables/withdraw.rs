//! Withdraws the routes that members left behind when they left.

use std::collections::VecDeque;

use super::Tables;
use super::owned::{LOOK_AGAIN, SHARE};
use crate::ids::Moment;

impl Tables {
    /// Whether routes of departed members are still to be withdrawn.
    pub(in crate::shard) fn has_departed(&self) -> bool {
        !self.departed.tables.is_empty()
    }

    /// When to go on withdrawing them.
    pub(in crate::shard) fn departed_until(&self) -> Option<Moment> {
        self.has_departed().then_some(self.departed.until)
    }

    /// Withdraws up to `budget` routes of departed members. VNIs take turns, so that a VNI with a
    /// million routes to withdraw does not hold up the others. A VNI whose subscribers still have much to
    /// take waits for them, but not for long.
    pub(in crate::shard) fn withdraw_departed(&mut self, now: Moment, mut budget: usize) {
        self.departed.until = now;
        let mut waiting = VecDeque::new();
        while budget > 0
            && let Some(id) = self.departed.tables.pop_front()
        {
            let Some(entry) = self.owned.get_mut(id) else { continue };
            if entry.waits_for_subscribers(now) {
                waiting.push_back(id);
                continue;
            }
            let vnet = entry.table.open();
            let share = budget.min(SHARE);
            vnet.clock = now;
            let done = share - vnet.work(share);
            vnet.take_looks(); // a part of what is done
            self.sealing.gathered += done;
            budget -= done;
            if vnet.has_work() {
                self.departed.tables.push_back(id);
            }
            self.mark_dirty(id);
            self.take_lost_stale(id);
        }
        if self.departed.tables.is_empty() {
            self.departed.until = now + LOOK_AGAIN;
        }
        self.departed.tables.append(&mut waiting);
    }
}
