//! [`Rate`]: whether there are so many changes that gathering them pays.
//!
//! A message costs some microseconds in the client, in the engine and in the reflector that gets it, however many
//! changes it contains; a wake of the thread costs as much. Under low load each change goes out at once.

use std::time::Duration;

use crate::ids::Moment;

/// How long a look is.
const WINDOW: Duration = Duration::from_millis(10);
/// Changes of a VNI are gathered for so long.
pub(super) const GATHERS: Duration = Duration::from_millis(10);
/// The thread sleeps for so long, whatever comes.
const RESTS: Duration = Duration::from_millis(2);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rate {
    since: Moment,
    count: u32,
    is_high: bool,
    /// More than so many in a window are many.
    many: u32,
}

impl Rate {
    /// High when more than so many things happen in a window.
    pub(super) fn new(now: Moment, many: u32) -> Self {
        Self { since: now, count: 0, is_high: false, many }
    }

    /// A batch or a message.
    #[inline]
    pub(super) fn count(&mut self, now: Moment) {
        self.look(now);
        self.count += 1;
    }

    fn look(&mut self, now: Moment) {
        let passed = now.since(self.since);
        if passed >= WINDOW {
            // After a pause nothing is known of.
            self.is_high = self.count > self.many && passed < 2 * WINDOW;
            (self.since, self.count) = (now, 0);
        }
    }

    /// Whether it is worth to gather.
    pub(super) fn is_high(&self) -> bool {
        self.is_high
    }

    /// Until when the thread may sleep although something comes; `None` while little does.
    pub(super) fn rests_until(&mut self, now: Moment) -> Option<Moment> {
        self.look(now);
        self.is_high.then(|| now + RESTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(every: Duration, count: u32) -> Rate {
        let mut rate = Rate::new(Moment(0), 30);
        for number in 0..count {
            rate.count(Moment(0) + every * number);
        }
        rate
    }

    #[test]
    fn a_thousand_a_second_are_sent_at_once_and_ten_thousand_gathered() {
        assert!(!after(Duration::from_millis(1), 1000).is_high());
        let mut rate = after(Duration::from_micros(100), 1000);
        assert!(rate.is_high());
        assert_eq!(rate.rests_until(Moment(101_000)), Some(Moment(103_000)));
        // Nothing more comes.
        assert_eq!(rate.rests_until(Moment(200_000)), None);
    }
}
