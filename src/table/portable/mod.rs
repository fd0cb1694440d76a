//! A table in the portable form; see `proto/portable.proto`.
//!
//! Members and routes are numbered in the order in which they are written: members by their numbers in this table,
//! routes by their places, which is the order of dumps. Positions of the journal are numbered anew and without gaps,
//! because only their order has a meaning.

mod export;
mod import;

pub(crate) use import::Importer;
