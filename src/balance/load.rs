//! How busy each shard's thread is, and whether it gets its core.

use std::time::Duration;

use crate::io::{ThreadId, ThreadTimes, thread_times};

/// The activity of a shard's thread since the last look.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Load {
    /// The share of the time for which it ran.
    pub(super) ran: f64,
    /// The share for which it was ready to run and did not get the core.
    pub(super) waited: f64,
}

impl Load {
    /// The share for which it ran or was ready to run.
    pub(super) fn wanted(self) -> f64 {
        self.ran + self.waited
    }
}

/// Measures one thread again and again.
#[derive(Debug)]
pub(super) struct Watch {
    thread: ThreadId,
    last: Option<(Duration, ThreadTimes)>,
}

impl Watch {
    pub(super) fn new(thread: ThreadId) -> Self {
        Self { thread, last: None }
    }

    /// The load since the last look. Costs one read of a file of the kernel's.
    pub(super) fn look(&mut self, now: Duration) -> Load {
        let Some(times) = thread_times(self.thread) else { return Load::default() };
        let Some((then, before)) = self.last.replace((now, times)) else { return Load::default() };
        let passed = now.saturating_sub(then).as_secs_f64();
        if passed <= 0.0 {
            return Load::default();
        }
        let share = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64() / passed;
        Load { ran: share(times.ran, before.ran), waited: share(times.waited, before.waited) }
    }
}
