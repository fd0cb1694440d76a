//! A running reflector hands everything to another process, which goes on with its sessions: a new version,
//! or settings that need a restart, without a peer noticing.
//!
//! ```text
//!   Offer (a thread of the process that serves)  <--- Channel: a Unix socket --->  take_over (at a start)
//!     freezes the reflector, writes an Estate                                    prepares a reflector, reads
//!     closes its descriptors, ends                                               serves
//! ```
//!
//! * `protocol` decides what each side does next; it is pure, and checked by a random model.
//! * `offer` (with `conversation` and `writing`) and `takeover` do it. What leaves and arrives is `reflector::handover`'s.
//! * `channel` carries messages and descriptors, `message` is their schema, `translate` makes them of what the
//!   reflector has and back, `path` says where the socket is.
//!
//! Imports: admin, control, diary, ids, io, metrics, policy, portable, reflector, shard, simulation, wire.

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
