//! Reflectors of many sites act as one.
//!
//! * [`link`]: what sites tell each other, as plain data: no sockets, no threads, no clocks.
//! * [`hub`]: a link between the shard that it sits on and the tasks that talk to the engine.
//! * [`bus`]: the engine, NATS. Nothing else knows it: another engine would be another such folder.
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
