//! The memory of the process.

use crate::relaxed::Relaxed;

/// Memory in use and the budget, for operators. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct MemoryUse {
    /// 0 means no budget.
    budget: Relaxed,
    used: Relaxed,
}

impl MemoryUse {
    /// The bytes of the budget, if there is one, and the bytes in use.
    pub(crate) fn get(&self) -> (Option<u64>, u64) {
        let budget = self.budget.get();
        ((budget > 0).then_some(budget), self.used.get())
    }

    pub(crate) fn set(&self, budget: Option<u64>, used: u64) {
        self.budget.set(budget.unwrap_or(0));
        self.used.set(used);
    }
}
