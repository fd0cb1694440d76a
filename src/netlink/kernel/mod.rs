//! What the kernel can be asked and told, in this program's terms.
//!
//! ```text
//!   Request ------> encode --> requests ==socket==> kernel     apply: in batches, answers by number
//!   KernelRoute, Object <-- decode <-- dump <==socket== kernel
//!   Event <-- decode <-- monitor <==second socket==== kernel   whatever others change
//! ```
//!
//! What is asked and told are values of [`model`](super::model), all that the rest of the program sees.
//!
//! * `requests`: [`Kernel`], the socket that asks; `dump` and `device` are what it reads.
//! * `monitor`: [`KernelMonitor`], the socket that listens.
//! * `filter`: what the kernel need not tell the listener.
//! * `socket`: one datagram out, answers in. `message`: bytes of the kernel, cut up.
//! * `uapi`: numbers of Linux's headers.
//!
//! A socket belongs to the network namespace of the thread that opens it. Nothing here remembers
//! what it installed, tries again, or decides whose route is whose. Nothing that the kernel sends
//! makes it panic: what can't be understood is skipped.
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
