//! The errors of operators' questions.

use thiserror::Error;

/// Why a question has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The reflector has stopped or is stopping.
    #[error("the reflector has stopped")]
    Stopped,
}
