//! Requests to the kernel, its answers and its events, in this program's terms.
//!
//! ```text
//!   Request ------> encode --> requests ==socket==> kernel     apply: in batches, answers by number
//!   KernelRoute, Object <-- decode <-- dump <==socket== kernel
//!   Event <-- decode <-- monitor <==second socket==== kernel   whatever others change
//! ```
//!
//! All of them are values of [`model`](super::model); the rest of the program sees nothing else.
//!
//! * `requests`: [`Kernel`], the socket for requests; `dump` and `device`: what it reads.
//! * `monitor`: [`KernelMonitor`], the socket for events.
//! * `filter`: the events that the kernel drops, because they are the leaf's own changes.
//! * `socket`: sends one datagram and receives the answers; `message`: splits the kernel's bytes into messages.
//! * `uapi`: numbers of Linux's headers.
//!
//! A socket belongs to the network namespace of the thread that opens it. The code here does not remember what it
//! installed, does not try again, and does not decide whose a route is. Nothing that the kernel sends makes it panic:
//! it skips what it does not understand.
//!
//! Imports: netlink::model, wire.

mod decode;
mod device;
mod dump;
mod encode;
mod filter;
mod message;
mod monitor;
mod requests;
mod socket;
#[cfg(test)]
mod tests;
mod uapi;

pub(crate) use monitor::KernelMonitor;
pub(crate) use requests::Kernel;
