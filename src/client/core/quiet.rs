//! [`Quiet`]: when the table of a server that does not know END_OF_TABLE counts as complete.

use std::time::Duration;

use crate::ids::Moment;

/// A server that does not know END_OF_TABLE has sent its table when nothing of it came for so long.
const QUIET: Duration = Duration::from_secs(2);
/// Where changes never pause for that, the table is taken to be there after so long.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// When a table was asked for, and when something of it came last.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) since: Moment,
    pub(super) last: Moment,
}

impl Quiet {
    pub(super) fn until(&self) -> Moment {
        (self.last + QUIET).min(self.since + QUIET_MAX)
    }
}
