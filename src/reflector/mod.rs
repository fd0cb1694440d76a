//! A running reflector: threads, listeners, connections, and its end.
//!
//! State: one thread per shard, each with its own event loop; the threads are pinned, each to a core of its own
//! if there are enough cores. Shards share only the channels of the mesh. One control thread accepts connections and
//! hands each to the shard with the fewest.
//!
//! This folder connects the pure `shard` with sockets, clocks and logs: `driver` runs the event loop, `connection`
//! moves bytes, `mesh` carries parcels, `acceptor` admits connections, `prepared` and `start` put all parts together.
//! What the threads share is in `crate::threads`; operators ask and command through `crate::inspector`.
//!
//! Imports: access, balance, capacity, config, control, counts, diary, estate, federation, http_guard, ids,
//! inspector, io, monitor, outbox, policy, portable, relaxed, session, shard, table, terminator, threads, tls.

mod acceptor;
mod answers;
mod checks;
#[cfg(not(feature = "http"))]
mod closed;
mod connection;
mod descriptors;
mod driver;
mod end_of_stream;
mod follow;
mod guest;
pub(crate) mod mesh;
mod moves;
mod orders;
mod prepared;
mod start;
mod wake_flag;

pub use crate::access::{Access, AccessList, KeyFileError, Prefix, PrefixError};
pub use crate::config::{
    Capacity, FederationConfig, FederationError, GuardConfig, GuardError, MemoryBudget,
    ReflectorConfig, SETTINGS, Shown, StartError, TlsConfig, TlsError,
};
pub use crate::control::{AUDIT, ControlError};
pub use crate::counts::{Refused, TlsCounts};
pub use crate::diary::{ClosedPage, ClosedSession, FOLLOWED, Recorded, RecordedFilter};
pub use crate::federation::{FederationStatus, SiteState, SiteStatus};
pub use crate::inspector::Inspector;
pub use crate::outbox::OutboxBounds;
pub use crate::shard::inspect;
pub use crate::shard::{LimitAction, Limits, ShardBounds, ShardConfig, Stats, VniLimits};
pub use crate::table::TableBounds;
pub use crate::threads::{HandoverReport, HandoverSteps, Handovers, Outcome};
pub(crate) use prepared::Prepared;
pub use start::Reflector;

/// Questions and commands to a running reflector: see [`Inspector`].
pub mod inspector {
    pub use crate::config::InForce;
    pub use crate::counts::Counters;
    pub use crate::diary::Detail;
    pub use crate::inspector::{Inspector, PAGE_MAX};
    pub use crate::monitor::{Monitor, MonitorEvent};
    pub use crate::shard::inspect::MonitorFilter;
    pub use crate::threads::InspectError;
}
