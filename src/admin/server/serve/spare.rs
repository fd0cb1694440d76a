//! Descriptors kept for the moment when there are no others.

/// How many: as many questions about health can be under way when there are no others.
const SPARES: usize = 8;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Spares(Vec<std::fs::File>);

impl Spares {
    /// Takes back those that were given up, as far as there are any. Cost: nothing when none is
    /// missing.
    pub(super) fn fill(&mut self) {
        while self.0.len() < SPARES
            && let Ok(file) = std::fs::File::open(PATH)
        {
            self.0.push(file);
        }
    }

    /// Gives one back to the system; `false` when none is left.
    pub(super) fn give_up_one(&mut self) -> bool {
        self.0.pop().is_some()
    }
}

/// What is always there to be opened.
#[cfg(unix)]
const PATH: &str = "/dev/null";
#[cfg(not(unix))]
const PATH: &str = "NUL";
