//! What one core owns: its connections, and the tables of its VNIs.
//!
//! [`Shard`] is plain data, driven from outside with bytes, messages and the time. It has two parts,
//! which know each other by two kinds of message only: [`Connections`](connections::Connections) make
//! [`Request`]s to the owners of VNIs, [`Tables`](tables::Tables) answer with [`Delivery`]s.
//!
//! The real driver (`reflector::driver`) and the simulation call the same functions, in this order per
//! loop turn:
//!
//! 1. [`Shard::received`] for whatever sockets have, [`Shard::requests`] and
//!    [`Shard::deliveries`] for whatever other shards sent;
//! 2. [`Shard::turn`] once;
//! 3. [`Shard::poll`] until it has no more: for each [`Output::Ready`], [`Shard::next_write`], then
//!    [`Shard::written`] when that write is done;
//! 4. [`Shard::take_requests`] and [`Shard::take_deliveries`] for each other shard whose channels
//!    have room.
//!
//! A connection is on one shard at a time, and a VNI belongs to one ([`placement`]); both move whole
//! ([`moves`]). The path of an update: `connections::intake` decodes it where its publisher's connection lives,
//! `tables::serve` carries it out where its VNI lives, `connections::deliver` hands the sealed batch to
//! the outboxes where subscribers live.
//!
//! Not here: sockets, threads, clocks, logging. What ends a session is reported, not logged.
//!
//! Imports: ids, metrics, outbox, policy, portable, session, table, wire.

mod config;
pub(crate) mod connections;
mod fair;
pub(crate) mod growth;
mod guest;
pub mod inspect;
mod layout;
mod mesh;
mod message;
pub(crate) mod moves;
mod output;
mod owners;
pub(crate) mod placement;
#[cfg(test)]
mod probe;
mod restore;
pub(crate) mod slab;
mod state;
mod tables;
#[cfg(test)]
mod tests;

pub use config::{LimitAction, Limits, ShardBounds, ShardConfig, VniLimits};
pub(crate) use config::{READ_MAX, READ_MIN};
pub(crate) use connections::{Flow, Slot, Traveller};
pub use inspect::Stats;
pub(crate) use layout::{GuestKind, Layout};
pub(crate) use mesh::{PARCELS, REQUESTS_UNDER_WAY};
pub(crate) use message::{Delivery, Request};
pub(crate) use output::{Closed, NearLimit, Output, Refused, VniNotice, Write};
pub(crate) use owners::Counted;
pub(crate) use restore::{Restored, Restorer, snapshot};
pub(crate) use state::{Shard, Turn};
pub(crate) use tables::Tenants;
