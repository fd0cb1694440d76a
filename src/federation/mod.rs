//! Reflectors of many sites act as one.
//!
//! * `link`: the state machine that exchanges routes with other sites; pure.
//! * `hub`: connects a link, the shard beside which it runs, and the tasks that talk to the *engine* (a message bus).
//! * `bus`: the tasks for the engine NATS. Only this folder names NATS; another engine would be another such folder.
//! * [`Federation`]: the three of them on the thread of their shard; `absent` in a program without federation.
//! * `status`, `metrics` and `roster`: what operators see of other sites.
//!
//! ```text
//!   owners of VNIs <-- lanes --> shard for federation <-- Hub --> bus <-- TCP --> nats-server
//!                                       Link
//! ```
//!
//! Imports: config, ids, metrics, policy, portable, shard, table, wire.

#[cfg(not(feature = "federation"))]
mod absent;
#[cfg(feature = "federation")]
mod bus;
#[cfg(feature = "federation")]
mod hub;
#[cfg(any(test, fuzzing, feature = "federation"))]
pub(crate) mod link;
mod metrics;
mod roster;
#[cfg(feature = "federation")]
mod running;
mod status;

#[cfg(not(feature = "federation"))]
use self::absent as running;
pub(crate) use self::roster::Roster;
pub(crate) use self::running::Federation;
pub use self::status::{FederationStatus, SiteState, SiteStatus};
