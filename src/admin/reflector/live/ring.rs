//! The last samples, encoded, in bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

/// Samples kept: ten minutes of one a second, some 100 bytes each.
const SAMPLES: usize = 600;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ring {
    samples: VecDeque<Arc<str>>,
    /// The number of samples ever added.
    count: u64,
}

impl Ring {
    /// Adds the newest, and forgets the oldest when there are too many.
    pub(super) fn push(&mut self, sample: Arc<str>) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.count += 1;
    }

    /// The number of samples ever added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The samples after the first `count` ever added, oldest first, as far as they are still kept.
    pub(super) fn after(&self, count: u64) -> impl Iterator<Item = &str> {
        let missing = usize::try_from(self.count.saturating_sub(count)).unwrap_or(usize::MAX);
        let skipped = self.samples.len().saturating_sub(missing);
        self.samples.iter().skip(skipped).map(|sample| &**sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(ring: &Ring, after: u64) -> Vec<u64> {
        ring.after(after).map(|sample| sample.parse().unwrap()).collect()
    }

    #[test]
    fn it_holds_the_last_ones() {
        let mut ring = Ring::default();
        for number in 1..=605_u64 {
            ring.push(number.to_string().into());
        }
        assert_eq!(numbers(&ring, 0), (6..=605).collect::<Vec<_>>());
        assert_eq!(numbers(&ring, 602), [603, 604, 605]);
        assert!(numbers(&ring, 605).is_empty());
        assert_eq!(ring.count(), 605);
    }
}
