//! The configuration in force.

use super::ReflectorConfig;

/// The settings in force, and how much of some limits is used. To get them asks no shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// The configuration of the start, with the changes that reloads have applied.
    pub config: ReflectorConfig,
    /// The number of sessions whose HELLO has arrived; [`ReflectorConfig::max_peers`] limits it.
    pub sessions: u64,
    /// The number of open connections, including those before their HELLO.
    pub connections: u64,
    /// The bytes that the process may use before it refuses to grow; `None` for no limit.
    pub memory_budget: Option<u64>,
    /// The bytes that it uses; only measured if there is a limit.
    pub memory_used: u64,
}
