//! Tests of the outbox. Without `cfg(test)` only the part is built that fuzzing runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

pub(crate) mod ops;
#[cfg(test)]
mod property;
mod world;
#[cfg(test)]
mod writes;
