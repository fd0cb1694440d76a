//! Pauses between attempts to connect.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use crate::client::Backoff;

/// The pauses of one peer.
#[derive(Debug)]
pub(super) struct Pauses {
    limits: Backoff,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(limits: Backoff) -> Self {
        Self { limits, next: limits.min }
    }

    /// A session has held: the next pause is the shortest again.
    pub(super) fn reset(&mut self) {
        self.next = self.limits.min;
    }

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        // Each new state of the standard library's hasher has random keys.
        self.jittered(RandomState::new().hash_one(0))
    }

    fn jittered(&mut self, random: u64) -> Duration {
        // At the limit the random spread lies below it: otherwise all leaves would connect at once again.
        let base = self.next.min(self.limits.max - self.limits.max / 3);
        self.next = self.next.saturating_mul(2).min(self.limits.max);
        base.saturating_add(base / 2000 * u32::try_from(random % 1000).unwrap_or(0))
            .min(self.limits.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_spread_and_stay_within_limits() {
        let limits = Backoff::default();
        for random in [0, 999] {
            let mut pauses = Pauses::new(limits);
            let all: Vec<_> = (0..10).map(|_| pauses.jittered(random)).collect();
            assert!(all.iter().all(|pause| (limits.min..=limits.max).contains(pause)));
            assert!(all.is_sorted());
            pauses.reset();
            assert_eq!(pauses.jittered(random), all[0]);
        }
        let mut pauses = Pauses::new(limits);
        assert!(pauses.jittered(0) < Pauses::new(limits).jittered(999));
        let late: Vec<_> = (0..9).map(|_| pauses.jittered(0)).collect();
        assert!(late[8] <= limits.max * 2 / 3, "no spread at the limit");
    }

    #[test]
    fn without_a_limit_pauses_grow_and_nothing_overflows() {
        let mut pauses = Pauses::new(Backoff { max: Duration::MAX, ..Backoff::default() });
        assert!((0..200).map(|_| pauses.jittered(999)).is_sorted());
    }
}
