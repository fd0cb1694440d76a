//! How many connections each source holds.
//!
//! The acceptor counts connections, but connections end on other threads. So each connection holds a reference to its
//! source's entry, and the number of references is the count: whichever thread drops the connection reduces it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Bucket, Source};

/// How many entries without connections may accumulate before they are removed.
const SLACK: usize = 1024;

/// A connection's share of its source's count; dropped with the connection.
#[derive(Debug)]
#[must_use]
pub(crate) struct SourceShare {
    bucket: Arc<Bucket>,
    /// Whether limits apply to the source.
    is_limited: bool,
}

impl SourceShare {
    /// The same for a source without limits.
    pub(crate) fn unlimited(self) -> Self {
        Self { is_limited: false, ..self }
    }

    /// The source has made `changes` changes; `rate` are allowed a second, and twice as many at once. Returns for how
    /// long it should make none. `now` is the time since any fixed moment.
    pub(crate) fn charge(&self, now: Duration, changes: u32, rate: u32) -> Duration {
        if rate == 0 || !self.is_limited {
            return Duration::ZERO;
        }
        self.bucket.charge(now, changes, rate)
    }
}

/// Entries of sources that hold connections, and of some that did.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    held: HashMap<Source, Arc<Bucket>>,
    /// The number of entries at which those without connections are removed.
    sweep_at: usize,
}

impl Counts {
    /// The number of connections of a source.
    pub(crate) fn of(&self, source: Source) -> u64 {
        self.held.get(&source).map_or(0, |share| Arc::strong_count(share) as u64 - 1)
    }

    pub(crate) fn add(&mut self, source: Source) -> SourceShare {
        if self.held.len() > self.sweep_at {
            self.held.retain(|_, share| Arc::strong_count(share) > 1);
            // As many again must come before the next sweep, so each pays for a constant share of it.
            self.sweep_at = 2 * self.held.len() + SLACK;
        }
        let bucket = Arc::clone(self.held.entry(source).or_default());
        SourceShare { bucket, is_limited: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_place_is_free_again() {
        let mut counts = Counts::default();
        let source = Source::V4(1);
        assert_eq!(counts.of(source), 0);
        let first = counts.add(source);
        let second = counts.add(source);
        assert_eq!((counts.of(source), counts.of(Source::V4(2))), (2, 0));
        drop(first);
        assert_eq!(counts.of(source), 1);
        std::thread::spawn(move || drop(second)).join().unwrap();
        assert_eq!(counts.of(source), 0);
    }

    #[test]
    fn sources_without_sessions_are_forgotten() {
        let mut counts = Counts::default();
        let _kept = counts.add(Source::V6(1));
        for n in 0..100_000 {
            drop(counts.add(Source::V4(n)));
        }
        assert!(counts.held.len() <= 2 * SLACK, "{}", counts.held.len());
        assert_eq!(counts.of(Source::V6(1)), 1);
    }
}
