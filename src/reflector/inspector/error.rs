//! Why there is no answer.

use thiserror::Error;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The reflector has stopped, or is about to.
    #[error("the reflector has stopped")]
    Stopped,
}
