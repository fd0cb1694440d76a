//! Tests of one VNI, named after the behaviour that they show. Without `cfg(test)` only the part is built that fuzzing
//! runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod catch_up;
mod choice;
#[cfg(test)]
mod cost;
mod harness;
pub(crate) mod ops;
#[cfg(test)]
mod packed;
#[cfg(test)]
mod policing;
#[cfg(test)]
mod portable;
#[cfg(test)]
mod property;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod views;
