//! How much is logged: of all, which is the program's, and of one session.

use std::fmt;
use std::sync::OnceLock;

use tracing::Level;

/// How much is logged about a followed session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Detail {
    /// A line for each read and each write, and for each change of the session's state.
    Summaries,
    /// In addition, a line for each message.
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
