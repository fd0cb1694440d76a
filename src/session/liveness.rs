//! The time by which the other side must send a message; the same for both sides of a session.
//!
//! KEEPALIVEs are sent at the lower of the intervals in both HELLOs. After two and a half intervals without a message
//! the session ends.

use std::time::Duration;

use crate::ids::{Moment, micros};

/// How long the other side may take for its HELLO.
const HELLO_TIME: Duration = Duration::from_secs(10);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Liveness {
    deadline: Moment,
    /// The hold time. It takes half the room of a [`Duration`], and each peer has one.
    hold_micros: u64,
}

impl Liveness {
    /// Awaits the other side's HELLO from now on.
    pub(crate) fn new(now: Moment) -> Self {
        Self::of(now + HELLO_TIME, HELLO_TIME)
    }

    /// The other side must be heard by `deadline`, and then within each `hold`.
    pub(super) fn of(deadline: Moment, hold: Duration) -> Self {
        Self { deadline, hold_micros: micros(hold) }
    }

    /// The other side's HELLO has come. Both intervals in seconds.
    pub(crate) fn agree(&mut self, now: Moment, ours: u32, theirs: u32) {
        self.hold_micros = u64::from(ours.min(theirs)) * 2_500_000;
        self.deadline = now + self.hold();
    }

    /// A message has come.
    #[inline]
    pub(crate) fn heard(&mut self, now: Moment) {
        self.deadline = Moment(now.0.saturating_add(self.hold_micros));
    }

    /// The other side was not listened to, so its silence means nothing: it has the whole time again.
    pub(crate) fn excuse(&mut self, now: Moment) {
        self.deadline = self.deadline.max(now + self.hold());
    }

    /// The time between KEEPALIVEs; meaningless before the HELLO.
    pub(crate) fn interval(&self) -> Duration {
        self.hold() * 2 / 5
    }

    /// For how long the other side may be silent.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_micros(self.hold_micros)
    }

    /// When the other side will have been silent for too long.
    pub(crate) fn deadline(&self) -> Moment {
        self.deadline
    }

    /// Whether the other side has been silent for too long.
    pub(crate) fn is_overdue(&self, now: Moment) -> bool {
        now >= self.deadline
    }
}
