//! How much one source has done lately: a token bucket that its connections share.
//!
//! They may be on several threads, so it is one atomic number. Only connections of the same source touch it, each once for a
//! read, and only where there is such a limit.

use std::time::Duration;

use crate::relaxed::Relaxed;

/// The capacity of a bucket.
const BURST: Duration = Duration::from_secs(2);

/// See the module's documentation. Starts full.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// When it will be full, in microseconds.
    full_at: Relaxed,
}

impl Bucket {
    /// Takes `tokens` tokens, which may be more than there are; `rate` come per second. Returns how long it takes until
    /// there is a token again.
    pub(super) fn charge(&self, now: Duration, tokens: u32, rate: u32) -> Duration {
        let now = micros(now);
        let cost = u64::from(tokens) * 1_000_000 / u64::from(rate.max(1));
        let after = |full_at: u64| full_at.max(now).saturating_add(cost);
        let charged = self.full_at.update(|full_at| (cost > 0).then(|| after(full_at)));
        let full_at = charged.map_or_else(|full_at| full_at, after);
        Duration::from_micros(full_at.saturating_sub(now.saturating_add(micros(BURST))))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn twice_the_rate_at_once_then_a_pause_for_what_was_too_much() {
        let bucket = Bucket::default();
        assert_eq!(bucket.charge(at(0), 200, 100), Duration::ZERO);
        assert_eq!(bucket.charge(at(0), 50, 100), at(500));
        assert_eq!(bucket.charge(at(400), 0, 100), at(100));
        assert_eq!(bucket.charge(at(500), 0, 100), Duration::ZERO);
        assert_eq!(bucket.charge(at(60_000), 200, 100), Duration::ZERO);
        assert_eq!(bucket.charge(at(60_000), 1, 100), at(10));
    }

    #[test]
    fn connections_on_many_threads_share_it() {
        let bucket = Bucket::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        bucket.charge(at(0), 1, 1000);
                    }
                });
            }
        });
        assert_eq!(bucket.charge(at(0), 0, 1000), at(2000));
    }
}
