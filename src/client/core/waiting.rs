//! Routes of one VNI that servers announce and for which there is no room.
//!
//! They are remembered, and taken in when there is room; but no more of them are remembered than there is room for in
//! all. Further ones are only counted, and come in with the next session of their server.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::route_key::{RibKey, of_network};
use super::{ServerSlot, Servers};
use crate::wire::{Destination, NextHop};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The servers that have each route.
    routes: BTreeMap<RibKey, Servers>,
    /// How many routes of each server are only counted.
    forgotten: BTreeMap<ServerSlot, usize>,
}

impl Waiting {
    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    /// How many routes wait, including those only counted: these count once for each server that has them.
    pub(super) fn count(&self) -> usize {
        self.routes.len() + self.forgotten.values().sum::<usize>()
    }

    /// How many remembered routes `slot` has. Walks all.
    pub(super) fn count_of(&self, slot: ServerSlot) -> usize {
        self.routes.values().filter(|servers| servers.contains(slot)).count()
    }

    /// The remembered routes to the network of a destination, whatever their host bits, in order.
    pub(super) fn of_network(
        &self,
        destination: Destination,
    ) -> impl Iterator<Item = (RibKey, Servers)> {
        self.routes.range(of_network(destination)).map(|(key, servers)| (*key, *servers))
    }

    /// `slot` announces a route: whether that is new, if the route waits already; `None` when it does not wait.
    pub(super) fn announce(&mut self, slot: ServerSlot, key: &RibKey) -> Option<bool> {
        let servers = self.routes.get_mut(key)?;
        let is_new = !servers.contains(slot);
        servers.insert(slot);
        Some(is_new)
    }

    /// `slot` announces a route without room. `false` when the route is only counted.
    pub(super) fn add(&mut self, slot: ServerSlot, key: RibKey, remembers: bool) -> bool {
        if remembers {
            self.routes.entry(key).or_default().insert(slot);
        } else {
            *self.forgotten.entry(slot).or_default() += 1;
        }
        remembers
    }

    /// `slot` withdraws a route; `false` when the leaf does not know that it had the route.
    pub(super) fn remove(&mut self, slot: ServerSlot, key: &RibKey) -> bool {
        let Some(servers) = self.routes.get_mut(key) else {
            if let Some(count) = self.forgotten.get_mut(&slot) {
                *count = count.saturating_sub(1);
            }
            return false;
        };
        let had = servers.remove(slot);
        if servers.is_empty() {
            self.routes.remove(key);
        }
        had
    }

    /// The session with `slot` has ended.
    pub(super) fn end(&mut self, slot: ServerSlot) {
        self.forgotten.remove(&slot);
        self.routes.retain(|_, servers| {
            servers.remove(slot);
            !servers.is_empty()
        });
    }

    /// Takes out one route.
    pub(super) fn take(&mut self) -> Option<(RibKey, Servers)> {
        self.routes.pop_first()
    }

    /// Takes out one route of a destination.
    pub(super) fn take_of(&mut self, destination: Destination) -> Option<(RibKey, Servers)> {
        let from = Bound::Included((destination, NextHop::FIRST));
        let (key, _) = self.routes.range((from, Bound::Unbounded)).next()?;
        let key = *key;
        (key.0 == destination).then(|| self.routes.remove_entry(&key)).flatten()
    }
}
