//! How many sessions each source holds.
//!
//! The acceptor counts up, and the sessions end on other threads. So a session holds a share of its
//! source's entry, and the shares are the count: whoever drops the connection has counted down.

use std::collections::HashMap;
use std::sync::Arc;

use super::source::Source;

/// Entries without sessions that are kept before they are looked for.
const SLACK: usize = 1024;

/// A session's place among those of its source; dropped with the connection.
#[derive(Debug)]
#[must_use]
pub(in crate::reflector) struct Place(#[expect(dead_code, reason = "held, not read")] Arc<()>);

/// Entries of sources that hold sessions, and of some that did.
#[derive(Debug, Default)]
pub(super) struct Counts {
    held: HashMap<Source, Arc<()>>,
    /// How many to have before those without sessions are looked for.
    sweep_at: usize,
}

impl Counts {
    /// Sessions of a source.
    pub(super) fn of(&self, source: Source) -> u64 {
        self.held.get(&source).map_or(0, |share| Arc::strong_count(share) as u64 - 1)
    }

    pub(super) fn add(&mut self, source: Source) -> Place {
        if self.held.len() > self.sweep_at {
            self.held.retain(|_, share| Arc::strong_count(share) > 1);
            // As many again must come before the next look, so each costs its share only.
            self.sweep_at = 2 * self.held.len() + SLACK;
        }
        Place(Arc::clone(self.held.entry(source).or_default()))
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
