//! The numbers that a shard publishes.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use super::growth::GrowthGauge;
use crate::io::ThreadId;
use crate::relaxed::Relaxed;

/// The numbers that a shard publishes. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// The number of connections of the shard: the acceptor adds to it, the shard subtracts.
    pub(crate) connections: Relaxed,
    /// The time of the latest turn, in milliseconds since the reflector's start.
    pub(crate) ticked: Relaxed,
    /// While draining: whether all queued data has been written.
    pub(crate) is_flushed: AtomicBool,
    /// Whether the shard has nothing to do, not even at a set time.
    pub(crate) is_asleep: AtomicBool,
    /// The shard's thread, once it runs.
    pub(crate) thread: OnceLock<ThreadId>,
    /// Whether the thread is pinned to one core.
    pub(crate) is_pinned: AtomicBool,
    /// The numbers of routes and VNIs that the shard has taken in.
    pub(crate) growth: GrowthGauge,
}
