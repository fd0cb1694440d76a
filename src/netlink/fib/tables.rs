//! VNIs get other tables while the state machine runs.
//!
//! Called between flushes. The routes of a VNI whose table changes count as no longer announced, so the next flush
//! removes them from the old table. The caller then announces them again, for the new table. A table that no VNI has
//! any more is queried a last time, so that all of our routes in it are removed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fib, Query};
use crate::ids::Moment;
use crate::wire::Vni;

impl Fib {
    /// Sets the tables of all VNIs. Cost: a look at each route.
    pub(crate) fn set_tables(&mut self, tables: &BTreeMap<Vni, u32>, now: Moment) {
        let before = &self.config.tables;
        let all = before.keys().chain(tables.keys());
        let moved: BTreeSet<Vni> =
            all.filter(|vni| before.get(*vni) != tables.get(*vni)).copied().collect();
        if moved.is_empty() {
            return;
        }
        self.config.tables.clear();
        self.config.tables.extend(tables.iter().map(|(&vni, &table)| (vni, table)));
        let after: BTreeSet<u32> = tables.values().copied().collect();
        let left: BTreeSet<u32> = self.tables.difference(&after).copied().collect();
        let new: Vec<u32> = after.difference(&self.tables).copied().collect();
        self.tables = after;
        self.known.retain(|vni| !moved.contains(vni));
        self.refusals.forget(&moved);
        self.crowded.retain(|route| !moved.contains(&route.vni));
        self.leave(&moved, &left);
        self.complete_again();
        // Routes are meaningful only beside the objects that they use.
        self.schedule.at(Query::Objects, now);
        for table in left.iter().chain(&new) {
            self.schedule.at(Query::Routes(*table), now);
        }
        self.leaving.extend(left);
        self.leaving.retain(|table| !self.tables.contains(table));
    }

    /// Withdraws all routes of these VNIs, and all routes in these tables.
    fn leave(&mut self, moved: &BTreeSet<Vni>, left: &BTreeSet<u32>) {
        for table in left {
            self.adopted.remove(table);
        }
        let ids: Vec<_> = self.routes.ids().collect();
        for id in ids {
            let was_wanted = self.routes.withdraw_of(id, |target| moved.contains(&target.source));
            let is_left = left.contains(&self.routes[id].key.table);
            if is_left {
                self.routes[id].adopted = false;
            }
            if was_wanted || is_left {
                self.touch(id);
            }
        }
    }

    /// Computes which tables are complete, now that VNIs have others.
    fn complete_again(&mut self) {
        let is_whole =
            |table: &u32| self.config.vnis_of(*table).all(|vni| self.known.contains(&vni));
        let whole: BTreeSet<u32> = self.tables.iter().copied().filter(is_whole).collect();
        for &table in &whole {
            self.release_adopted(table);
        }
        self.complete = whole;
        if self.complete.len() == self.tables.len() {
            self.objects.complete();
        }
    }
}
