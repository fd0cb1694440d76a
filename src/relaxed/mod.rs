//! A number that threads share, without any order beside other memory: counters, levels, and limits.
//!
//! Imports: nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that threads share. No change of it is lost. Its value says nothing about other memory, because all
/// accesses have `Ordering::Relaxed`.
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

    /// Sets the number, and returns the one before.
    pub(crate) fn replace(&self, number: u64) -> u64 {
        self.0.swap(number, Ordering::Relaxed)
    }

    /// Adds to the number, and returns the one before. The sum wraps around.
    pub(crate) fn add(&self, number: u64) -> u64 {
        self.0.fetch_add(number, Ordering::Relaxed)
    }

    /// Subtracts from the number, and returns the one before. The difference wraps around.
    pub(crate) fn subtract(&self, number: u64) -> u64 {
        self.0.fetch_sub(number, Ordering::Relaxed)
    }

    /// Replaces the number by the result of `change`, and returns the number before. Calls `change` again when another
    /// thread was quicker.
    ///
    /// # Errors
    /// When `change` returns `None`: the number, which stays.
    pub(crate) fn update(&self, change: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
    }
}
