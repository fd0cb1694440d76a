//! Descriptors kept for the moment when there are no others.

/// The number of spares: so many health checks can be under way when all other descriptors are in use.
const SPARES: usize = 8;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Spares(Vec<std::fs::File>);

impl Spares {
    /// Reopens spares that were given up, as far as descriptors are free. Cost: nothing when none is
    /// missing.
    pub(super) fn fill(&mut self) {
        while self.0.len() < SPARES
            && let Ok(file) = std::fs::File::open(PATH)
        {
            self.0.push(file);
        }
    }

    /// Gives up a spare descriptor; `false` when none is left.
    pub(super) fn give_up_one(&mut self) -> bool {
        self.0.pop().is_some()
    }
}

/// A file that can always be opened.
#[cfg(unix)]
const PATH: &str = "/dev/null";
#[cfg(not(unix))]
const PATH: &str = "NUL";
