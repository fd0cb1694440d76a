//! Tests of the outbox. Without `cfg(test)`, what fuzzing runs of them.

pub(crate) mod ops;
#[cfg(test)]
mod property;
mod world;
#[cfg(test)]
mod writes;
