//! What stands in for an operation on the ring in builds without it: a type that can't exist.

use std::convert::Infallible;

#[derive(Debug)]
pub(super) struct Operation(Infallible);
