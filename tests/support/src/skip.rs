//! Tests that the machine can't run.

use std::io::Write as _;
use std::panic::Location;

use crate::Run;

/// Ends the calling test, which this machine can't run; the [`Reason`] names the missing programs or abilities.
///
/// From a function with a result it returns that type's default, for example `None`. The test's name
/// and the reason go to standard error at once and into the summary that ends the run. With
/// `METALBOND_TEST_STRICT` in the environment the test fails instead.
///
/// ```ignore
/// fn ping_answers() {
///     if let Some(missing) = support::missing(&["ping"]) {
///         support::skip!(missing);
///     }
/// }
/// ```
#[macro_export]
macro_rules! skip {
    ($reason:expr) => {{
        $crate::skipped($reason);
        return ::core::default::Default::default();
    }};
}

/// Why a test is skipped: a text, or the programs that are [`missing`](crate::missing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub(crate) text: String,
    pub(crate) packages: Vec<&'static str>,
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, packages: Vec::new() }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A test that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The test program and the test in it.
    pub test: String,
    /// The reason, on one line.
    pub reason: String,
    /// The Debian packages with which it would run, separated by spaces; empty if packages don't help.
    pub packages: String,
}

/// Reports a part of the calling test that this machine can't run, as [`skip!`](crate::skip) reports a
/// whole test, and goes on.
///
/// # Panics
///
/// With `METALBOND_TEST_STRICT` in the environment, unless it is empty.
#[track_caller]
pub fn skipped(reason: impl Into<Reason>) {
    let Reason { text, packages } = reason.into();
    // A reason is one line, whatever a program has printed.
    let reason = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let strict = std::env::var_os("METALBOND_TEST_STRICT").is_some_and(|value| !value.is_empty());
    assert!(!strict, "not to be skipped with METALBOND_TEST_STRICT: {reason}");
    let skip = Skip { test: test(Location::caller()), reason, packages: packages.join(" ") };
    // The print macros would not do: the test harness shows their output only for failed tests.
    let line = format!("SKIPPED {}: {}\n", skip.test, skip.reason);
    drop(std::io::stderr().write_all(line.as_bytes()));
    Run::current().add(&skip);
}

/// The name of the calling test: the names of its program and its thread. The thread has the test's name unless
/// the tests run on the main thread.
fn test(caller: &Location<'_>) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy();
    // Cuts off the hash that Cargo appends.
    let program = program.rsplit_once('-').map_or(&*program, |(name, _)| name);
    match std::thread::current().name() {
        Some(name) if name != "main" => format!("{program} {name}"),
        _ => format!("{program} {}:{}", caller.file(), caller.line()),
    }
}
