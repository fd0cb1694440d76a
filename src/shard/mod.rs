//! The state that one core owns: its connections, and the tables of its VNIs.
//!
//! [`Shard`] is plain data, driven from outside with bytes, messages and the time. It has two parts, which communicate
//! only by two kinds of message: [`Connections`](connections::Connections) send [`Request`]s to the owners of VNIs,
//! [`Tables`](tables::Tables) answer with [`Delivery`]s.
//!
//! The real driver (`reflector::driver`) and the simulation call the same functions, in this order in each
//! turn of the loop:
//!
//! 1. [`Shard::received`] with the bytes of sockets, [`Shard::requests`] and [`Shard::deliveries`] with the messages of
//!    other shards;
//! 2. [`Shard::turn`] once;
//! 3. [`Shard::poll`] until it has no more: for each [`Output::Ready`], [`Shard::next_write`], then
//!    [`Shard::written`] when that write is done;
//! 4. [`Shard::take_requests`] and [`Shard::take_deliveries`] for each other shard whose channels
//!    have room.
//!
//! A connection is on one shard at a time, and a VNI belongs to one shard ([`placement`]); both move as a whole
//! ([`moves`]). The path of an update: `connections::intake` decodes it on the shard of its publisher's connection,
//! `tables::serve` carries it out on the shard that owns its VNI, and `connections::deliver` hands the sealed batch to
//! the outboxes on the shards of the subscribers.
//!
//! Sockets, threads, clocks and logging are elsewhere. The reason why a session ends is reported, not logged.
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
mod paths;
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
pub(crate) use message::{Counted, Delivery, Request};
pub(crate) use output::{Closed, NearLimit, Output, Refused, VniNotice, Write};
pub(crate) use restore::{Restored, Restorer, snapshot};
pub(crate) use state::{Shard, Turn};
pub(crate) use tables::Tenants;
