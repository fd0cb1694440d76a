//! Tests of one VNI, named after what they show. Without `cfg(test)`, what fuzzing runs of them.

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
mod views;
