//! Reflectors of several sites over a real nats-server, on loopback and in namespaces.
//!
//! The simulation goes through far more of what may go wrong (`src/simulation/sites`); here are the engine, its
//! client, sockets, processes and what operators see.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod engine;
mod harness;
mod life;
mod operators;
mod routes;
mod scale;
mod security;
