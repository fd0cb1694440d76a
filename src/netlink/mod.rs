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
//! * `board`: the latest numbers, which can be read at any time, even while the kernel does not answer.
//! * `standing`: the state of single routes, as the writer answers questions about them.
//! * `fib`: the wanted routes and those of the kernel, and the requests that follow from the difference; pure.
//! * `withdraw`: removes the routes of a device before the device is deleted; needs no writer.
//! * `kernel`: sockets, encoding and decoding.
//! * `model`: requests to the kernel and its answers, as plain values.
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
