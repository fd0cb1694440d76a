//! The limits and settings in force.

use super::Inspector;
use crate::config::InForce;

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
