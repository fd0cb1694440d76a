//! A route as applications name it.

use std::fmt;

use crate::wire::{Action, Destination, NextHop, Update, Vni};

/// In VNI `vni`, `destination` is reached through `next_hop`. All three fields are the route's identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Route {
    /// The virtual network.
    pub vni: Vni,
    /// The overlay prefix.
    pub destination: Destination,
    /// The next hop through which it is reached.
    pub next_hop: NextHop,
}

impl Route {
    /// The message that announces or withdraws this route.
    #[must_use]
    pub fn update(self, action: Action) -> Update {
        Update { action, vni: self.vni, destination: self.destination, next_hop: self.next_hop }
    }
}

impl From<Update> for Route {
    fn from(update: Update) -> Self {
        Self { vni: update.vni, destination: update.destination, next_hop: update.next_hop }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vni {} {} via {}", self.vni, self.destination, self.next_hop)
    }
}
