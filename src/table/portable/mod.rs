//! A table in the portable form; see `proto/portable.proto`.
//!
//! Members and routes are numbered in the order in which they are written: members by their numbers here,
//! routes by their places, which is the order of dumps. Positions of the journal are numbered anew, so that
//! those whose changes have been taken out take no room: only the order of positions says anything.

mod export;
mod import;

pub(crate) use import::Importer;
