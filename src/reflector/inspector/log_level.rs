//! How much is logged: of all, which is the program's, and of one session.

use std::fmt;
use std::sync::OnceLock;

use tracing::Level;

/// How much is logged of a session that is followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Detail {
    /// Each read and write as a whole, and what changes about the session.
    Summaries,
    /// Each message as well.
    Messages,
}

pub(super) type Set = Box<dyn Fn(Level) -> Result<(), String> + Send + Sync>;

/// Sets the level of the program's log.
#[derive(Default)]
pub(super) struct LogLevel(pub(super) OnceLock<Set>);

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}
