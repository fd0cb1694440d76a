//! [`Quiet`]: when the table of a server that does not know END_OF_TABLE counts as complete.

use std::time::Duration;

use crate::ids::Moment;

/// The table of a server without END_OF_TABLE counts as complete when no update of it came for this time.
const QUIET: Duration = Duration::from_secs(2);
/// If changes never pause for [`QUIET`], the table counts as complete after this time.
const QUIET_MAX: Duration = Duration::from_secs(30);

/// When the leaf subscribed to a table, and when the last update of the table arrived.
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
