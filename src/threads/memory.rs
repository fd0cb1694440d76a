//! The memory of the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// Memory in use and granted, for whoever asks. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct MemoryUse {
    /// 0 is any amount.
    budget: AtomicU64,
    used: AtomicU64,
}

impl MemoryUse {
    /// Bytes of the budget, if there is one, and bytes in use.
    pub(crate) fn get(&self) -> (Option<u64>, u64) {
        let budget = self.budget.load(Ordering::Relaxed);
        ((budget > 0).then_some(budget), self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, budget: Option<u64>, used: u64) {
        self.budget.store(budget.unwrap_or(0), Ordering::Relaxed);
        self.used.store(used, Ordering::Relaxed);
    }
}
