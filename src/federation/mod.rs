//! Reflectors of many sites act as one.
//!
//! * [`link`]: the state machine that exchanges routes with other sites; pure.
//! * [`hub`]: connects a link, the shard beside which it runs, and the tasks that talk to the *engine* (a message bus).
//! * [`bus`]: the tasks for the engine NATS. Only this folder names NATS; another engine would be another such folder.
//!
//! ```text
//!   owners of VNIs <-- lanes --> shard for federation <-- Hub --> bus <-- TCP --> nats-server
//!                                       Link
//! ```
//!
//! Imports: ids, policy, portable, shard, table, wire.

#[cfg(feature = "federation")]
pub(crate) mod bus;
#[cfg(feature = "federation")]
pub(crate) mod hub;
pub(crate) mod link;
