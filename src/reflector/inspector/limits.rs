//! What is in force.

use std::time::Duration;

use super::Inspector;
use crate::reflector::reload::Reloadable;

/// Limits and settings that are in force, and what can be told of their use at no cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InForce {
    /// What may change while it runs.
    pub settings: Reloadable,
    /// The keepalive interval of our HELLO.
    pub keepalive: Duration,
    /// Sessions whose HELLO has come: what [`Reloadable::max_peers`] limits.
    pub sessions: u64,
    /// Connections held, those without a HELLO included.
    pub connections: u64,
}

impl Inspector {
    /// What is in force. No shard is asked. How often a limit was hit is said by
    /// [`Inspector::counters`].
    #[must_use]
    pub fn in_force(&self) -> InForce {
        InForce {
            settings: self.control.settings.borrow().clone(),
            keepalive: Duration::from_secs(self.control.keepalive.into()),
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
