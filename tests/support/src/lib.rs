//! What the tests of all packages share.
//!
//! It depends on nothing, so that unit tests can use it as well as the programs in `tests/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod programs;
mod run;
mod skip;
mod summary;
#[cfg(unix)]
pub mod vm;

use std::time::Duration;

pub use programs::{ip, missing, packages};
pub use run::Run;
pub use skip::{Reason, Skip, skipped};
pub use summary::summary;

/// How long a test waits for what must happen. Long, because test machines stall: a test that passes
/// never waits for so long, and a test that fails takes this long to say so.
pub const PATIENCE: Duration = Duration::from_secs(120);
