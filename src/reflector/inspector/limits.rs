//! What is in force.

use super::Inspector;
use crate::reflector::config::ReflectorConfig;

/// The settings in force, and numbers about their use that no shard has to be asked for.
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

impl Inspector {
    /// The settings in force. Asks no shard. [`Inspector::counters`] has the number of times that each limit was hit.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        let (memory_budget, memory_used) = self.control.memory.get();
        InForce {
            memory_budget,
            memory_used,
            config: self.control.config.borrow().clone(),
            sessions: self.control.lobby.sessions(),
            connections: self.connections(),
        }
    }

    /// The number of open connections, including those before their HELLO and those that are being closed. Asks no
    /// shard.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.control.connections()
    }
}
