//! The command, as an operator and an init system meet it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod client;
mod config;
mod ctl;
mod deploy;
#[cfg(target_os = "linux")]
mod detection;
#[cfg(target_os = "linux")]
mod flood;
mod manual;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod notify;
mod process;
#[path = "../common/promtool.rs"]
mod promtool;
#[cfg(target_os = "linux")]
mod resolver;
mod server;
#[allow(dead_code, reason = "shared with the reflector's tests, which use all of it")]
#[path = "../reflector/harness/client.rs"]
mod sessions;
mod signals;
mod zone;
