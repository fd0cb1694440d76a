//! The memory of the process.

use crate::relaxed::Relaxed;

/// Memory in use and granted, for whoever asks. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct MemoryUse {
    /// 0 is any amount.
    budget: Relaxed,
    used: Relaxed,
}

impl MemoryUse {
    /// Bytes of the budget, if there is one, and bytes in use.
    pub(crate) fn get(&self) -> (Option<u64>, u64) {
        let budget = self.budget.get();
        ((budget > 0).then_some(budget), self.used.get())
    }

    pub(crate) fn set(&self, budget: Option<u64>, used: u64) {
        self.budget.set(budget.unwrap_or(0));
        self.used.set(used);
    }
}
