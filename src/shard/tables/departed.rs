//! Which VNIs have routes of members that have left.

use std::collections::VecDeque;

use super::owned::TableId;
use crate::ids::Moment;

/// VNIs with routes of departed members to withdraw.
#[derive(Debug)]
pub(super) struct Departed {
    /// The VNIs; one may be listed more than once.
    pub(super) tables: VecDeque<TableId>,
    /// The moment until which all of them wait.
    pub(super) until: Moment,
}

impl Departed {
    pub(super) fn new(now: Moment) -> Self {
        Self { tables: VecDeque::new(), until: now }
    }

    pub(super) fn push(&mut self, id: TableId) {
        self.tables.push_back(id);
    }

    /// Forgets the tables that are gone.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(TableId) -> bool) {
        self.tables.retain(|id| keep(*id));
    }
}
