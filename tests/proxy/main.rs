//! A proxy with real sockets between deployed agents and real reflectors.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod agents;
mod harness;
mod operators;
mod outages;
mod routes;
