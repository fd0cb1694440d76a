//! The leaf's library against reflectors in this process, on both I/O back ends, and against servers
//! that freeze, lie, or read as the reference does.

mod dataplane;
mod harness;
mod hostile;
mod http;
mod intent;
#[cfg(target_os = "linux")]
mod page;
mod servers;
mod watches;
