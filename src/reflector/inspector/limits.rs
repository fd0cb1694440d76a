//! What is in force.

use super::Inspector;
use crate::reflector::config::ReflectorConfig;

/// Settings that are in force, and what can be told of their use at no cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// As it was started with, and what it has taken up since.
    pub config: ReflectorConfig,
    /// Sessions whose HELLO has come: what [`ReflectorConfig::max_peers`] limits.
    pub sessions: u64,
    /// Connections held, those without a HELLO included.
    pub connections: u64,
    /// Bytes that the process may take before it refuses to grow; none for any amount.
    pub memory_budget: Option<u64>,
    /// Bytes that it takes, where there is a budget.
    pub memory_used: u64,
}

impl Inspector {
    /// What is in force. No shard is asked. How often a limit was hit is said by
    /// [`Inspector::counters`].
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

    /// Connections held, those that have not shaken hands yet or are being shut down included. No
    /// shard is asked.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.control.connections()
    }
}
