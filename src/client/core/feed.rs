//! What one reader has still to be told.
//!
//! A reader takes when it can. Until then opposite changes of one route cancel out, so what waits is
//! bounded by the routes that differ between what the reader knows and what there is.

use std::collections::BTreeMap;
use std::ops::Bound;

use smallvec::SmallVec;

use crate::client::Route;
use crate::wire::{Action, Destination, NextHop, Update, Vni};

type Key = (Vni, Destination);
type Hops = SmallVec<[(Action, NextHop); 1]>;

/// Route changes for one reader, by destination.
#[derive(Debug, Default)]
pub(in crate::client) struct RouteFeed {
    /// No entry is empty.
    pending: BTreeMap<Key, Hops>,
    /// The destination that was taken last: the next take goes on behind it, so that churn of some
    /// destinations does not hold up the others.
    taken: Option<Key>,
    /// Whether anything was taken, or would have been.
    was_taken: bool,
}

impl RouteFeed {
    /// Notes a change. The caller says each route's changes in turn: added, removed, added.
    pub(in crate::client) fn push(&mut self, action: Action, route: Route) {
        let key = (route.vni, route.destination);
        let hops = self.pending.entry(key).or_default();
        match hops.iter().position(|(_, hop)| *hop == route.next_hop) {
            // The reader knows it as it was before the change that still waits.
            Some(at) if hops[at].0 != action => {
                hops.remove(at);
                if hops.is_empty() {
                    self.pending.remove(&key);
                }
            }
            Some(_) => {}
            None => hops.push((action, route.next_hop)),
        }
    }

    pub(in crate::client) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether [`Self::take`] was called before.
    pub(in crate::client) fn was_taken(&self) -> bool {
        self.was_taken
    }

    /// Whether anything of `vni` waits.
    pub(in crate::client) fn has(&self, vni: Vni) -> bool {
        self.pending.range(vni_range(vni)).next().is_some()
    }

    /// Forgets what waits of `vni`.
    pub(in crate::client) fn forget(&mut self, vni: Vni) {
        let keys: Vec<_> = self.pending.range(vni_range(vni)).map(|(key, _)| *key).collect();
        for key in keys {
            self.pending.remove(&key);
        }
    }

    /// Takes about `max` changes: whole destinations, of each the removals first.
    pub(in crate::client) fn take(&mut self, max: usize) -> Vec<Update> {
        self.was_taken = true;
        let mut updates = Vec::with_capacity(max.min(self.pending.len()));
        while updates.len() < max
            && let Some((key, hops)) = self.next()
        {
            for wanted in [Action::Remove, Action::Add] {
                updates.extend(hops.iter().filter(|(action, _)| *action == wanted).map(
                    |(action, next_hop)| {
                        let route = Route { vni: key.0, destination: key.1, next_hop: *next_hop };
                        route.update(*action)
                    },
                ));
            }
        }
        updates
    }

    fn next(&mut self) -> Option<(Key, Hops)> {
        let behind = self.taken.map_or(Bound::Unbounded, Bound::Excluded);
        let mut key = self.pending.range((behind, Bound::Unbounded)).next().map(|(key, _)| *key);
        if key.is_none() {
            key = self.pending.first_key_value().map(|(key, _)| *key);
        }
        self.taken = key;
        key.and_then(|key| self.pending.remove_entry(&key))
    }
}

/// All destinations of a VNI.
fn vni_range(vni: Vni) -> impl std::ops::RangeBounds<Key> {
    let key = |destination| (vni, destination);
    (Bound::Included(key(Destination::FIRST)), Bound::Included(key(Destination::LAST)))
}

/// The newest value of each thing that changed since a reader last took.
#[derive(Debug)]
pub(in crate::client) struct Latest<K, V> {
    pending: BTreeMap<K, V>,
}

impl<K: Ord, V> Latest<K, V> {
    /// Notes that `key` is now `value`.
    pub(in crate::client) fn push(&mut self, key: K, value: V) {
        self.pending.insert(key, value);
    }

    pub(in crate::client) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Everything that waits.
    pub(in crate::client) fn take(&mut self) -> Vec<(K, V)> {
        std::mem::take(&mut self.pending).into_iter().collect()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Latest<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self { pending: all.into_iter().collect() }
    }
}
