//! For each server, a digest of its routes of one VNI.

use std::collections::BTreeMap;

use super::route_key::RibKey;
use super::{ServerSlot, Servers};
use crate::wire::Digest;

/// Digests of the routes that each server has in a VNI.
#[derive(Debug, Default)]
pub(super) struct Digests {
    of: BTreeMap<ServerSlot, Digest>,
    /// Servers whose digest has changed since the last query.
    pub(super) changed: Servers,
}

impl Digests {
    /// A server has one route more.
    pub(super) fn add(&mut self, slot: ServerSlot, (destination, next_hop): &RibKey) {
        self.of.entry(slot).or_default().add(destination, next_hop);
        self.changed.insert(slot);
    }

    /// A server has this route no more.
    pub(super) fn remove(&mut self, slot: ServerSlot, (destination, next_hop): &RibKey) {
        self.of.entry(slot).or_default().remove(destination, next_hop);
        self.changed.insert(slot);
    }

    /// A server has no routes any more.
    pub(super) fn end(&mut self, slot: ServerSlot) {
        self.of.remove(&slot);
    }

    pub(super) fn get(&self, slot: ServerSlot) -> Digest {
        self.of.get(&slot).copied().unwrap_or_default()
    }
}
