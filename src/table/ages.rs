//! When the changes of a VNI came, without memory per route.
//!
//! State: a short list of journal positions, each with the moment by which all changes before it
//! had come. A route's stamp says at which position it changed last, so its age lies between two
//! samples. Samples are a second apart at least. When the list is full every second one of its older
//! half goes, so the older a change, the coarser what is known of it; and the list stays a kilobyte.

use crate::ids::Moment;

const SAMPLES_MAX: usize = 64;
const SPACING: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// All changes before this position came no later than `at`.
    before: u64,
    at: Moment,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ages {
    samples: Vec<Sample>,
}

impl Ages {
    /// Notes that all changes before a position have come by now.
    pub(super) fn note(&mut self, before: u64, at: Moment) {
        let sample = Sample { before, at };
        if let [.., last_but_one, last] = &mut self.samples[..]
            && at.since(last_but_one.at) < SPACING
        {
            *last = sample;
            return;
        }
        if self.samples.len() >= SAMPLES_MAX {
            let half = SAMPLES_MAX / 2;
            let mut place = 0;
            self.samples.retain(|_| {
                place += 1;
                place > half || place % 2 == 0
            });
        }
        self.samples.push(sample);
    }

    /// The samples: each position, and the moment by which all changes before it had come, in microseconds.
    pub(super) fn samples(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.samples.iter().map(|sample| (sample.before, sample.at.0))
    }

    /// Takes samples over; skips a sample that is not in ascending order.
    pub(super) fn restore(&mut self, samples: impl Iterator<Item = (u64, Moment)>) {
        for (before, at) in samples.take(SAMPLES_MAX) {
            if self.samples.last().is_none_or(|last| last.before <= before) {
                self.samples.push(Sample { before, at });
            }
        }
    }

    /// The moment by which the change at a position had come; `None` when it has not been sealed.
    pub(super) fn of(&self, position: u64) -> Option<Moment> {
        let next = self.samples.partition_point(|sample| sample.before <= position);
        self.samples.get(next).map(|sample| sample.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_change_is_known_to_the_second() {
        let mut ages = Ages::default();
        for (position, at) in [(1, 0), (2, 400_000), (3, 900_000), (4, 60 * SECOND)] {
            ages.note(position, Moment(at));
        }
        assert_eq!(ages.of(0), Some(Moment(0)));
        assert_eq!(ages.of(1), Some(Moment(900_000)));
        assert_eq!(ages.of(3), Some(Moment(60 * SECOND)));
        assert_eq!(ages.of(4), None);
    }

    #[test]
    fn old_changes_are_known_coarsely_and_the_list_stays_short() {
        let mut ages = Ages::default();
        let end = 100_000;
        for second in 0..end {
            ages.note(second + 1, Moment(second * SECOND));
        }
        assert!(ages.samples.len() <= SAMPLES_MAX);
        for position in [end - 1, end - 10, end - 30] {
            assert_eq!(ages.of(position), Some(Moment(position * SECOND)));
        }
        for position in [0, 1000, end / 2, end - 100] {
            let known = ages.of(position).unwrap().0 / SECOND;
            assert!(known >= position, "never older than it is");
        }
    }
}
