//! A reflector under test through its sockets: real threads, real TCP, both kinds of I/O.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod access;
mod attacks;
mod bad_input;
#[cfg(target_os = "linux")]
mod black_hole;
mod changes;
mod deployed_clients;
mod echo;
mod growth;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod handover;
mod handshake;
mod harness;
mod http;
mod inspect;
mod limits;
mod moves;
mod one_next_hop;
#[cfg(target_os = "linux")]
mod orders;
#[cfg(target_os = "linux")]
mod page;
mod policy;
mod quiet;
mod scale;
mod semantics;
mod stale;
#[cfg(feature = "tls")]
mod tls;
mod under_flood;
