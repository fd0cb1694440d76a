//! The level of the program's log.

use std::fmt;
use std::sync::OnceLock;

use tracing::Level;

pub(crate) type Set = Box<dyn Fn(Level) -> Result<(), String> + Send + Sync>;

/// Sets the level of the program's log.
#[derive(Default)]
pub(crate) struct LogLevel(pub(crate) OnceLock<Set>);

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}
