//! A number that threads share, without any order beside other memory: counters, levels, and limits.
//!
//! Imports: nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that threads share. A change of it is never lost, and says nothing about other memory: nobody may conclude
/// from its value that something else is there.
#[derive(Debug, Default)]
pub(crate) struct Relaxed(AtomicU64);

impl Relaxed {
    pub(crate) const fn new(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// Sets it, and returns what it was.
    pub(crate) fn replace(&self, number: u64) -> u64 {
        self.0.swap(number, Ordering::Relaxed)
    }

    /// Adds, and returns what it was. It wraps around.
    pub(crate) fn add(&self, number: u64) -> u64 {
        self.0.fetch_add(number, Ordering::Relaxed)
    }

    /// Subtracts, and returns what it was. It wraps around.
    pub(crate) fn subtract(&self, number: u64) -> u64 {
        self.0.fetch_sub(number, Ordering::Relaxed)
    }

    /// Changes it to what `change` makes of it, unless that is `None`. Calls `change` again when another thread was
    /// quicker.
    ///
    /// # Errors
    /// The number, which stays, when `change` returns `None`. Otherwise returns what it was.
    pub(crate) fn update(&self, change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
    }
}
