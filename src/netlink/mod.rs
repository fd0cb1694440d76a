//! The leaf's routes in the Linux kernel.
//!
//! ```text
//!   leaf --apply--> NetlinkClient --commands--> writer --requests--> kernel
//!                   (handle)                    (thread)  <--dumps--
//!                                               Fib       <--events-- others' changes
//! ```
//!
//! * [`NetlinkClient`]: the handle; a [`NetworkClient`](crate::client::NetworkClient).
//! * `writer`: the one thread that owns both sockets.
//! * `board`: the last numbers, which anybody may read while the kernel is silent.
//! * `standing`: what is told of single routes, which the writer is asked for.
//! * `fib`: what is wanted and what is there, and what must be asked; pure.
//! * `withdraw`: takes a device's routes out before the device goes; needs no writer.
//! * `kernel`: sockets, encoding and decoding.
//! * `model`: what is said to and by the kernel, in plain values.
//!
//! Imports: dataplane, ids, metrics, wire.

mod board;
mod client;
mod config;
mod fib;
mod kernel;
mod model;
mod rows;
mod standing;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod withdraw;
mod writer;

pub use client::{NetlinkClient, NetlinkStatus, NetlinkTables};
pub use config::{Mode, NEXTHOP_IDS, NetlinkConfig, StartError};
pub use standing::{InstalledRoute, KernelRoute, KernelVerdict, KernelVni, LeftOut, Omitted};
pub use status::Status;
pub use withdraw::{Withdrawn, withdraw};
