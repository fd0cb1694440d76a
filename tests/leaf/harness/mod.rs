//! A small data centre in network namespaces.
//!
//! ```text
//!   guest ── leaf a ──┐
//!   guest ── leaf b ──┼── bridge, reflector      underlay: IPv6, Ethernet's MTU
//!   guest ── leaf c ──┘
//! ```
//!
//! A guest belongs to one VNI. Its packets enter its leaf by a link of its own, whose rule leads to the routing table
//! of the VNI. In this table the leaf under test installs routes into the tunnel. Packets from the tunnel reach the
//! guest by the main table.

mod lab;
mod ping;
mod process;
mod shell;

use std::time::{Duration, Instant};

pub(crate) use lab::{Guest, Lab, Leaf, REFLECTOR, TUNNEL, binary, table};
pub(crate) use ping::Flood;
pub(crate) use process::Process;
pub(crate) use shell::{ip, shell_words};
pub(crate) use support::PATIENCE;
pub(crate) use support::namespace::at;

/// Waits until `is_so`; panics with `what` was expected and the `state` found when it never is.
pub(crate) fn wait_until(what: &str, state: impl Fn() -> String, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}\n{}", state());
        std::thread::sleep(Duration::from_millis(10));
    }
}
