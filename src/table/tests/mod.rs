//! Tests of one VNI, named after what they show. Without `cfg(test)`, what fuzzing runs of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod catch_up;
#[cfg(test)]
mod cost;
mod harness;
pub(crate) mod ops;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod portable;
#[cfg(test)]
mod property;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod views;
