//! The command, as operators and init systems use it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod block;
mod client;
mod config;
mod ctl;
mod demo;
mod deploy;
#[cfg(target_os = "linux")]
mod detection;
mod diff;
mod drop_in;
mod entry;
#[cfg(target_os = "linux")]
mod few_descriptors;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(target_os = "linux")]
mod handover;
mod manual;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod no_exec;
#[cfg(target_os = "linux")]
mod notify;
mod policy;
mod process;
#[cfg(target_os = "linux")]
mod proxy;
#[cfg(target_os = "linux")]
mod resolver;
mod server;
mod signals;
#[cfg(all(feature = "tls", target_os = "linux"))]
mod tls;
#[cfg(all(feature = "tls", target_os = "linux"))]
mod tls_in_kernel;
#[cfg(target_os = "linux")]
mod verify;
mod wireshark;
mod zone;
