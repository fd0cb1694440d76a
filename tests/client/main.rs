//! The leaf's library against reflectors in this process, on both I/O back ends, and against servers
//! that freeze, lie, or read as the reference does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

mod dataplane;
mod harness;
mod hostile;
mod http;
mod intent;
#[cfg(target_os = "linux")]
mod page;
mod servers;
mod watches;
