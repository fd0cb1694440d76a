//! Durations counted in fixed buckets.

use std::time::Duration;

/// Upper bound of the first bucket, in microseconds.
const FIRST: u64 = 16;
/// Buckets with an upper bound; one more holds longer durations.
const BUCKETS: usize = 21;

/// A histogram of durations. The buckets end at 16 us and at every doubling of that up to 16.8 s; the last bucket has
/// no end. It consists of plain numbers: to record a duration costs a few instructions, and [`Histogram::merge`] adds
/// up the histograms of several shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    counts: [u64; BUCKETS + 1],
    sum: u64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // How many times the first bound must double to reach this duration.
        let above = micros.saturating_sub(1) / FIRST;
        let bucket = (u64::BITS - above.leading_zeros()) as usize;
        self.counts[bucket.min(BUCKETS)] += 1;
        self.sum = self.sum.saturating_add(micros);
    }

    /// Adds the durations that another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The durations counted since `earlier`, an earlier copy of this histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (count, less) in since.counts.iter_mut().zip(&earlier.counts) {
            *count = count.saturating_sub(*less);
        }
        since.sum = since.sum.saturating_sub(earlier.sum);
        since
    }

    /// The sum in microseconds, and the count of each bucket.
    pub(super) fn numbers(&self) -> Vec<u64> {
        [self.sum].into_iter().chain(self.counts).collect()
    }

    /// The histogram of [`Histogram::numbers`]; `None` if the buckets have changed since.
    pub(super) fn of_numbers(numbers: &[u64]) -> Option<Self> {
        let (&sum, counts) = numbers.split_first()?;
        Some(Self { counts: counts.try_into().ok()?, sum })
    }

    /// The number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// The buckets in order: the upper bound (`None` for the last bucket), and the number of durations up to that
    /// bound, as the cumulative buckets of Prometheus.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        let mut total = 0;
        self.counts.iter().enumerate().map(move |(bucket, count)| {
            total += count;
            let bound = (bucket < BUCKETS).then(|| Duration::from_micros(FIRST << bucket));
            (bound, total)
        })
    }

    /// The duration that a share of all durations, such as 0.99, does not exceed. It is interpolated as if the
    /// durations of a bucket lay evenly between its bounds, as Prometheus does. The last bound stands for all longer
    /// durations. `None` if no duration was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = self.count() as f64 * share.clamp(0.0, 1.0);
        let (mut lower, mut below) = (Duration::ZERO, 0);
        for (bound, count) in self.cumulative() {
            let Some(upper) = bound else { return (count > 0).then_some(lower) };
            if count > below && count as f64 >= wanted {
                let part = (wanted - below as f64) / (count - below) as f64;
                return Some(lower + (upper - lower).mul_f64(part.clamp(0.0, 1.0)));
            }
            (lower, below) = (upper, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &micros in micros {
            histogram.record(Duration::from_micros(micros));
        }
        histogram
    }

    /// The bound of the bucket that holds one duration.
    fn bucket(micros: u64) -> Option<Duration> {
        of(&[micros]).cumulative().find(|(_, count)| *count == 1).unwrap().0
    }

    #[test]
    fn a_bucket_includes_its_upper_bound() {
        let bounds = [(0, 16), (16, 16), (17, 32), (32, 32), (33, 64), (16_777_216, 16_777_216)];
        for (micros, bound) in bounds {
            assert_eq!(bucket(micros), Some(Duration::from_micros(bound)), "{micros} us");
        }
    }

    #[test]
    fn what_exceeds_every_bound_is_counted_too() {
        assert_eq!(bucket(16_777_217), None);
        assert_eq!(bucket(u64::MAX), None);
    }

    #[test]
    fn merging_adds_counts_and_sums() {
        let mut all = of(&[1, 20]);
        all.merge(&of(&[20, 1_000_000]));
        assert_eq!((all.count(), all.sum()), (4, Duration::from_micros(1_000_041)));
        assert_eq!(all, of(&[1, 20, 20, 1_000_000]));
    }

    #[test]
    fn what_is_new_is_the_difference() {
        let earlier = of(&[1, 20]);
        let mut later = earlier;
        later.merge(&of(&[20, 1_000_000]));
        assert_eq!(later.since(&earlier), of(&[20, 1_000_000]));
        assert_eq!(later.since(&later), Histogram::default());
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let micros = |micros| Some(Duration::from_micros(micros));
        // Four between 16 and 32 us: each takes a quarter of the interval.
        let four = of(&[20, 20, 20, 20]);
        assert_eq!([0.25, 0.5, 1.0].map(|it| four.quantile(it)), [20, 24, 32].map(micros));
        // Half of them are in the first bucket, and the other half between 512 and 1024 us.
        let two = of(&[10, 10, 1000, 1000]);
        assert_eq!([0.5, 0.75, 1.0].map(|it| two.quantile(it)), [16, 768, 1024].map(micros));
        assert_eq!(two.quantile(0.0), Some(Duration::ZERO));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn a_quantile_beyond_every_bound_is_the_last_bound() {
        let long = of(&[10, u64::MAX]);
        assert_eq!(long.quantile(0.99), Some(Duration::from_micros(FIRST << (BUCKETS - 1))));
    }

    #[test]
    fn more_of_a_share_is_never_less() {
        let some = of(&[1, 17, 40, 41, 5000, 20_000_000]);
        let all: Vec<_> = (0..=100).map(|it| some.quantile(f64::from(it) / 100.0)).collect();
        assert!(all.is_sorted() && all.iter().all(Option::is_some), "{all:?}");
    }
}
