//! [`PolicyError`]: a mistake in the text of a policy, and where it is.

use std::fmt;

/// An error in the text of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PolicyError {
    /// The line of the file, from 1 on.
    pub line: usize,
    /// The error in one sentence.
    pub sentence: String,
}

impl PolicyError {
    pub(super) fn new(text: &str, at: usize, sentence: String) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self { line: before.matches('\n').count() + 1, sentence }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

impl std::error::Error for PolicyError {}
