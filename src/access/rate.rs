//! How often one source may connect: a token bucket for each, in bounded memory.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::sources::Source;

/// The most sources remembered. Beyond that the bucket nearest to full is forgotten, because least is
/// lost with it.
const SOURCES_MAX: usize = 65_536;
/// Full buckets forgotten with each connection: more than it can add.
const FORGET: usize = 2;

/// The buckets. Each is one moment: when it will be full again. A full bucket carries no information and is
/// forgotten.
#[derive(Debug, Default)]
pub(super) struct Rates {
    full_at: HashMap<Source, Duration>,
    /// The same buckets, nearest to full first.
    order: BTreeSet<(Duration, Source)>,
}

impl Rates {
    /// Takes one token; `false` if there is none. `rate` tokens come per second, and a bucket holds two
    /// seconds' worth.
    pub(super) fn take(&mut self, now: Duration, source: Source, rate: u32) -> bool {
        let token = Duration::from_secs(1) / rate.max(1);
        let full_at = self.full_at.get(&source).copied().unwrap_or_default().max(now);
        let is_there = full_at + token <= now + Duration::from_secs(2);
        if is_there {
            self.set(source, full_at + token);
        }
        for _ in 0..FORGET {
            if self.order.first().is_some_and(|(full_at, _)| *full_at <= now) {
                self.forget_first();
            }
        }
        is_there
    }

    fn set(&mut self, source: Source, full_at: Duration) {
        if let Some(before) = self.full_at.insert(source, full_at) {
            self.order.remove(&(before, source));
        } else if self.full_at.len() > SOURCES_MAX {
            self.forget_first();
        }
        self.order.insert((full_at, source));
    }

    fn forget_first(&mut self) {
        if let Some((_, source)) = self.order.pop_first() {
            self.full_at.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn taken(rates: &mut Rates, now: Duration, source: Source, rate: u32) -> usize {
        (0..1000).take_while(|_| rates.take(now, source, rate)).count()
    }

    #[test]
    fn twice_the_rate_at_once_then_the_rate() {
        let mut rates = Rates::default();
        let source = Source::V4(1);
        assert_eq!(taken(&mut rates, at(0), source, 10), 20);
        assert_eq!(taken(&mut rates, at(99), source, 10), 0);
        assert_eq!(taken(&mut rates, at(100), source, 10), 1);
        assert_eq!(taken(&mut rates, at(1100), source, 10), 10);
        assert_eq!(taken(&mut rates, at(60_000), source, 10), 20);
        assert_eq!(taken(&mut rates, at(60_000), Source::V4(2), 10), 20);
    }

    #[test]
    fn one_a_second_is_two_at_once() {
        let mut rates = Rates::default();
        assert_eq!(taken(&mut rates, at(0), Source::V6(1), 1), 2);
        assert_eq!(taken(&mut rates, at(999), Source::V6(1), 1), 0);
        assert_eq!(taken(&mut rates, at(1000), Source::V6(1), 1), 1);
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let mut rates = Rates::default();
        for n in 0..1000 {
            assert!(rates.take(at(0), Source::V4(n), 10));
        }
        for _ in 0..500 {
            rates.take(at(10_000), Source::V4(0), 1000);
        }
        assert_eq!(rates.full_at.len(), 1);
        assert_eq!(rates.order.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_emptiest_buckets_are_kept() {
        let mut rates = Rates::default();
        let greedy = Source::V6(1);
        assert_eq!(taken(&mut rates, at(0), greedy, 2), 4);
        for n in 0..100_000 {
            assert!(rates.take(at(0), Source::V4(n), 2));
        }
        assert_eq!(rates.full_at.len(), SOURCES_MAX);
        assert_eq!(rates.order.len(), SOURCES_MAX);
        assert!(!rates.take(at(0), greedy, 2));
    }
}
