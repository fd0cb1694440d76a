//! The parts that the tests of all packages share: skipping, waiting, and the peers, programs and namespaces of the
//! test programs in `tests/`.
//!
//! This is a crate and not a module of each test program, because the compiler would warn of the items that one program
//! does not use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests, which Cargo takes for a library"
)]

#[cfg(target_os = "linux")]
pub mod browser;
pub mod client;
mod each_io;
pub mod go_client;
pub mod http;
mod log;
#[cfg(target_os = "linux")]
pub mod namespace;
mod programs;
pub mod promtool;
mod run;
mod skip;
mod summary;
pub mod tls;
#[cfg(unix)]
pub mod vm;

use std::time::{Duration, Instant};

pub use each_io::has_io;
pub use log::{log_to_output, log_to_output_and};
pub use programs::{ip, missing, packages};
pub use run::Run;
pub use skip::{Reason, Skip, skipped};
pub use summary::summary;

/// How long a test waits for an event that must happen. Long, because test machines stall: a test that passes
/// never waits for so long, and a test that fails takes this long to say so.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `is_so` holds. Panics after [`PATIENCE`].
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
