//! [`Rate`]: whether there are so many changes that gathering them pays.
//!
//! A message costs some microseconds in the client, in the engine and in the reflector that gets it, however many
//! changes it contains; a wake of the thread costs as much. Under low load each change goes out at once.

use std::time::Duration;

use crate::ids::Moment;

/// How long a look is.
const WINDOW: Duration = Duration::from_millis(10);
/// So many times as many are very many.
const VERY: u32 = 10;

/// What little, much and very much cost in latency, so that they cost less CPU time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pace {
    /// Changes of a VNI are gathered for so long.
    pub(super) gathers: Duration,
    /// The thread sleeps for so long, whatever comes.
    pub(super) rests: Duration,
}

const MUCH: Pace = Pace { gathers: Duration::from_millis(10), rests: Duration::from_millis(2) };
const VERY_MUCH: Pace =
    Pace { gathers: Duration::from_millis(25), rests: Duration::from_millis(5) };

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rate {
    since: Moment,
    count: u32,
    /// `None` while little happens.
    pace: Option<Pace>,
    /// More than so many in a window are many.
    many: u32,
}

impl Rate {
    /// Much happens when more than so many things happen in a window.
    pub(super) fn new(now: Moment, many: u32) -> Self {
        Self { since: now, count: 0, pace: None, many }
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
            self.pace = match self.count {
                _ if passed >= 2 * WINDOW => None, // there was a pause
                count if count > self.many.saturating_mul(VERY) => Some(VERY_MUCH),
                count if count > self.many => Some(MUCH),
                _ => None,
            };
            (self.since, self.count) = (now, 0);
        }
    }

    /// For how long to gather; `None` when that is not worth it.
    pub(super) fn gathers(&self) -> Option<Duration> {
        self.pace.map(|pace| pace.gathers)
    }

    /// Until when the thread may sleep although something comes; `None` while little does.
    pub(super) fn rests_until(&mut self, now: Moment) -> Option<Moment> {
        self.look(now);
        self.pace.map(|pace| now + pace.rests)
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
    fn the_more_happens_the_longer_is_gathered() {
        assert_eq!(after(Duration::from_millis(1), 1000).gathers(), None);
        let mut rate = after(Duration::from_micros(100), 1000);
        assert_eq!(rate.gathers(), Some(MUCH.gathers));
        assert_eq!(rate.rests_until(Moment(101_000)), Some(Moment(103_000)));
        let mut rate = after(Duration::from_micros(10), 10_000);
        assert_eq!(rate.gathers(), Some(VERY_MUCH.gathers));
        assert_eq!(rate.rests_until(Moment(101_000)), Some(Moment(106_000)));
    }

    #[test]
    fn after_a_pause_nothing_is_gathered() {
        let mut rate = after(Duration::from_micros(100), 1000);
        assert_eq!(rate.rests_until(Moment(200_000)), None);
        assert_eq!(rate.gathers(), None);
    }
}
