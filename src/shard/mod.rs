//! What one core owns: its connections' sessions and outboxes, and the tables of its VNIs.
//!
//! State: [`Shard`] is plain data, driven from outside with bytes, messages and the time. The real
//! driver (`reflector::driver`) and the simulation call the same functions, in this order per loop
//! turn:
//!
//! 1. [`Shard::received`] for whatever sockets have, [`Shard::requests`] and
//!    [`Shard::deliveries`] for whatever other shards sent;
//! 2. [`Shard::turn`] once;
//! 3. for each peer in [`Shard::take_ready`]: [`Shard::next_write`], then [`Shard::written`] when
//!    that write is done;
//! 4. [`Shard::take_requests`] and [`Shard::take_deliveries`] for each other shard whose channels
//!    have room; [`Shard::take_closed`]; [`Shard::take_resumed`].
//!
//! A connection lives on one shard for life; a VNI belongs to one shard ([`placement`]). The path
//! of an update: `ingest` decodes it where its publisher's connection lives, `requests` applies it
//! where its VNI lives, `deliver` hands the sealed batch to the outboxes where subscribers live.
//!
//! Not here: sockets, threads, clocks, logging. What ends a session is reported, not logged.

mod config;
mod deliver;
mod flow;
mod inbox;
mod ingest;
pub mod inspect;
mod mesh;
mod peer;
pub(crate) mod placement;
#[cfg(test)]
mod probe;
mod requests;
mod runs;
mod state;
mod stats;
mod timers;
mod usual;
mod vni_map;

pub use config::{Bounds, Limits, Settings};
pub(crate) use flow::{Flow, READ_MAX, READ_MIN};
pub(crate) use mesh::{Delivery, PARCELS, REQUESTS_UNDER_WAY, Request};
pub(crate) use state::{Closed, Shard, Slot, Turn, Write};
pub use stats::Stats;
