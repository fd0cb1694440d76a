//! A running reflector hands all sessions and routes to another process. So a new version, or settings that need a
//! restart, take effect although no session ends.
//!
//! ```text
//!   Offer (a thread of the process that serves)  <--- Channel: a Unix socket --->  take_over (at a start)
//!     freezes the reflector, writes an Estate                                    prepares a reflector, reads
//!     closes its descriptors, ends                                               serves
//! ```
//!
//! * `protocol` decides what each side does next; it is pure, and a random model checks it.
//! * `offer` (with `conversation` and `writing`) and `takeover` carry out these decisions. `estate` takes the state out
//!   of a reflector and puts it into one.
//! * `channel` carries messages and descriptors, `message` is their schema, `translate` converts between them and the
//!   types of the reflector, and `path` names the socket.
//!
//! Imports: admin, config, control, diary, estate, ids, inspector, io, metrics, policy, portable, reflector, shard,
//! simulation, threads, wire.

mod channel;
mod conversation;
mod message;
mod offer;
mod path;
mod protocol;
mod takeover;
#[cfg(test)]
mod tests;
mod translate;
mod writing;

pub use offer::{Offer, OfferError};
pub use path::Listener;
pub use takeover::{Started, TakeoverError, start};
