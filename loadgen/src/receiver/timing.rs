//! How long updates take, from when they should have been sent to when they were read.
//!
//! The time that counts is the one in the schedule, not that of the write: a publisher that is held
//! up by the server would otherwise leave out exactly the updates that suffer (coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use hdrhistogram::Histogram;
use metalbond::wire::Action;

/// The longest time that is measured.
const LONGEST_NS: u64 = 100_000_000_000;

/// When each route should have been announced and withdrawn last. Times are in ns since `epoch`.
#[derive(Debug)]
pub(crate) struct Timing {
    epoch: Instant,
    /// For each route the time of its announcement, then of its withdrawal.
    due: Box<[AtomicU64]>,
    /// Updates due before this time are not measured.
    from: AtomicU64,
    /// The histogram that takes the times.
    part: AtomicUsize,
}

impl Timing {
    /// For `routes` routes; measures nothing yet.
    pub(crate) fn new(routes: u32) -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            due: (0..2 * u64::from(routes)).map(|_| AtomicU64::new(0)).collect(),
            from: AtomicU64::new(u64::MAX),
            part: AtomicUsize::new(0),
        })
    }

    /// Measures updates due from some time on, as a part of the run. Earlier parts should be over.
    pub(crate) fn measure(&self, part: usize, from: Instant) {
        self.from.store(u64::MAX, Ordering::Release);
        self.part.store(part, Ordering::Release);
        self.from.store(self.ns(from), Ordering::Release);
    }

    /// Notes when a route should be announced or withdrawn. Call it before that.
    pub(crate) fn note(&self, action: Action, route: u32, due: Instant) {
        self.due[slot(action, route)].store(self.ns(due), Ordering::Release);
    }

    fn ns(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

fn slot(action: Action, route: u32) -> usize {
    2 * route as usize + usize::from(action == Action::Remove)
}

/// The measurements of one thread.
#[derive(Debug)]
pub(super) struct Stopwatch {
    timing: Arc<Timing>,
    pub(super) parts: Vec<Histogram<u64>>,
}

/// A read at one moment.
#[derive(Debug)]
pub(super) struct Lap<'a> {
    timing: &'a Timing,
    times: &'a mut Histogram<u64>,
    now: u64,
    from: u64,
}

impl Stopwatch {
    pub(super) fn new(timing: Arc<Timing>) -> Self {
        Self { timing, parts: Vec::new() }
    }

    /// Call this as soon as a read has returned.
    pub(super) fn lap(&mut self) -> Lap<'_> {
        let now = self.timing.ns(Instant::now());
        let from = self.timing.from.load(Ordering::Acquire);
        let part = self.timing.part.load(Ordering::Acquire);
        while self.parts.len() <= part {
            self.parts.push(histogram());
        }
        Lap { timing: &self.timing, times: &mut self.parts[part], now, from }
    }
}

impl Lap<'_> {
    /// The time of the read, in ns, if updates are measured then.
    pub(super) fn measured_at(&self) -> Option<u64> {
        (self.now >= self.from).then_some(self.now)
    }

    /// Measures an update of this read.
    #[inline]
    pub(super) fn record(&mut self, action: Action, route: u32) {
        let due = self.timing.due[slot(action, route)].load(Ordering::Relaxed);
        if due >= self.from {
            self.times.saturating_record(self.now.saturating_sub(due));
        }
    }
}

/// A histogram for times in ns.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_NS, 3).expect("bounds that are in order")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_is_due_in_a_part_is_measured() {
        let timing = Timing::new(3);
        let mut watch = Stopwatch::new(Arc::clone(&timing));
        let start = Instant::now();
        timing.note(Action::Add, 0, start);
        watch.lap().record(Action::Add, 0); // measuring has not begun
        timing.measure(1, start);
        watch.lap().record(Action::Add, 0);
        watch.lap().record(Action::Remove, 0); // never sent
        timing.measure(0, start + Duration::from_secs(1));
        watch.lap().record(Action::Add, 0);
        let counts: Vec<_> = watch.parts.iter().map(Histogram::len).collect();
        assert_eq!(counts, [0, 1]);
    }
}
