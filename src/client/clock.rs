//! The one clock of a leaf.

use tokio::time::Instant;

use crate::ids::Moment;

/// Moments since the leaf began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now() }
    }

    pub(super) fn now(self) -> Moment {
        Moment::default() + self.began.elapsed()
    }

    /// The time at which `moment` is reached.
    pub(super) fn instant(self, moment: Moment) -> Instant {
        self.began + moment.since(Moment::default())
    }
}
