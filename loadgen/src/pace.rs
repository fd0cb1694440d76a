//! An open loop: what is due at a fixed rate, whatever the server does.

use std::num::NonZeroU64;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The greatest delay of a sleep that is allowed for: this long before a number is due, the thread spins on the clock.
/// A longer spin would take CPU time from the server.
const SPIN_MAX: Duration = Duration::from_micros(80);
const SPIN_MIN: Duration = Duration::from_micros(5);
/// The longest sleep, so that the caller's other work has its turn.
const NAP: Duration = Duration::from_millis(100);

/// Numbers that are due one after another, from 0.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    per_second: f64,
    next: u64,
    end: u64,
    /// How long to spin: the recent delay of sleeps, and a reserve.
    spin: Duration,
}

impl Pace {
    /// Numbers due at a rate per second from now on, for some time.
    pub(crate) fn new(per_second: f64, duration: Duration) -> Self {
        // By default a timer may be 50 us late. If the kernel refuses this, it stays late.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
        // The conversion saturates, so every rate can be counted.
        #[expect(clippy::cast_possible_truncation, reason = "rounded down on purpose")]
        let end = (per_second * duration.as_secs_f64()) as u64;
        Self {
            start: Instant::now() + Duration::from_millis(1),
            per_second,
            next: 0,
            end,
            spin: SPIN_MAX,
        }
    }

    /// When a number is due.
    pub(crate) fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number as f64 / self.per_second)
    }

    /// Waits until a number is due, but not for long; returns all due numbers. `None` at the end.
    pub(crate) fn wait(&mut self) -> Option<Range<u64>> {
        if self.next >= self.end {
            return None;
        }
        let due = self.due(self.next);
        let early = due.saturating_duration_since(Instant::now());
        if early > NAP + SPIN_MAX {
            std::thread::sleep(NAP);
            return Some(self.next..self.next);
        }
        if early > self.spin {
            let wake = due - self.spin;
            std::thread::sleep(early - self.spin);
            let late = wake.elapsed().min(SPIN_MAX);
            self.spin = (self.spin * 7 + late * 5 / 4) / 8;
            self.spin = self.spin.clamp(SPIN_MIN, SPIN_MAX);
        }
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        let from = self.next;
        let now = Instant::now();
        while self.next < self.end && self.due(self.next) <= now {
            self.next += 1;
        }
        self.next = self.next.max(from + 1);
        Some(from..self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_due_once_and_never_early() {
        let mut pace = Pace::new(2000.0, Duration::from_millis(50));
        let mut expected = 0;
        while let Some(due) = pace.wait() {
            assert_eq!(due.start, expected);
            assert!(due.is_empty() || pace.due(due.end - 1) <= Instant::now());
            expected = due.end;
        }
        assert_eq!(expected, 100);
    }
}
