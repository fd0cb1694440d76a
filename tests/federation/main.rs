//! Reflectors of several sites over a real nats-server, on loopback and in namespaces.
//!
//! The simulation (`src/simulation/sites`) covers far more faults. These tests are about the engine, its client,
//! sockets, processes, and the answers to operators.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod engine;
mod harness;
mod life;
mod operators;
mod routes;
mod scale;
mod security;
