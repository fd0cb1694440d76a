//! The leaf with the kernel's own datapath: processes, tunnels and packets in network namespaces.
//! Needs Linux and root; says SKIPPED elsewhere.
#![cfg(target_os = "linux")]

mod datapath;
mod harness;
mod healing;
mod ip6tnl;
mod metrics;
mod next_hops;
mod restarts;
