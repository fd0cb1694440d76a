//! What a shard lets others see.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use super::growth::GrowthGauge;
use crate::io::ThreadId;
use crate::relaxed::Relaxed;

/// What a shard lets others see. No part of the data path.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// Connections held, counted up by the acceptor and down by the shard.
    pub(crate) connections: Relaxed,
    /// Milliseconds since the reflector's start at the latest turn.
    pub(crate) ticked: Relaxed,
    /// Whether everything queued has been written, while draining.
    pub(crate) is_flushed: AtomicBool,
    /// Whether it has nothing to do, not even by the clock.
    pub(crate) is_asleep: AtomicBool,
    /// Its thread, once that runs.
    pub(crate) thread: OnceLock<ThreadId>,
    /// Whether the thread is kept on one core.
    pub(crate) is_pinned: AtomicBool,
    /// What it has taken in.
    pub(crate) growth: GrowthGauge,
}
