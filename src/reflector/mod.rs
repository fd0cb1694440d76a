//! A running reflector: threads, listeners, connections, and its end.
//!
//! State: one thread per shard, on a core of its own where the machine is its alone, each with its own event
//! loop and nothing shared with the others but the channels of the mesh; and one control thread that
//! accepts connections and hands each to the shard with the fewest.
//!
//! Here is where the pure `shard` meets sockets, clocks and logs: `driver` turns
//! the loop, `connection` moves bytes, `mesh` carries parcels, `lobby` says how many may connect,
//! `report` says what happened, `follow` all that happens to one session. Operators look and act through
//! `inspector`, from `crate::admin`.
//!
//! Imports: access, ids, io, metrics, outbox, portable, session, settings, shard, sources, table, wire.

mod acceptor;
mod balance;
mod config;
mod connection;
mod descriptors;
mod driver;
mod endpoints;
mod follow;
pub(crate) mod handover;
pub mod inspector;
mod limiter;
mod lobby;
pub(crate) mod mesh;
mod monitors;
mod moves;
mod orders;
mod prepared;
mod question;
mod refused;
mod report;
mod service;
mod settings;
mod start;
mod wake_flag;

pub use crate::access::{Access, AccessList, Prefix, PrefixError};
pub use crate::outbox::OutboxBounds;
pub use crate::shard::inspect;
pub use crate::shard::{Limits, ShardBounds, ShardConfig, Stats};
pub use crate::table::TableBounds;
pub(crate) use balance::Report as BalanceReport;
pub use config::{ControlError, ReflectorConfig, StartError};
pub(crate) use endpoints::Endpoints;
pub use follow::FOLLOWED;
pub use handover::{Handovers, Outcome, Report as HandoverReport, Steps as HandoverSteps};
pub use inspector::Inspector;
pub(crate) use prepared::Prepared;
pub use refused::Refused;
pub use settings::{SETTINGS, Shown};
pub use start::Reflector;
