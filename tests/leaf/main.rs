//! The leaf with the real kernel: processes, tunnels and packets in network namespaces. Needs Linux and root; says
//! SKIPPED elsewhere.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod datapath;
mod drop_in;
mod explain;
mod harness;
mod healing;
mod ip6tnl;
mod metrics;
mod next_hops;
mod reload;
mod restarts;
mod verify;
