//! The changes that one reader lacks.
//!
//! A reader takes them when it can. Until then opposite changes of one route cancel out, so a feed holds at most the
//! difference between the reader's knowledge and the present routes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;

use crate::client::Route;
use crate::wire::{Action, Destination, NextHop, Update, Vni};

type FeedKey = (Vni, Destination);

/// Route changes for one reader, by destination.
#[derive(Debug, Default)]
pub(in crate::client) struct RouteFeed {
    /// One entry per route: servers may announce any number of next hops of one destination.
    pending: BTreeMap<(Vni, Destination, NextHop), Action>,
    /// The destination taken last: the next take goes on behind it, so that churn of some
    /// destinations does not hold up the others.
    taken: Option<FeedKey>,
    /// Whether [`Self::take`] was ever called.
    was_taken: bool,
    /// How often taking has reached the end and begun anew.
    rounds: u64,
}

impl RouteFeed {
    /// Notes a change. The caller notes the changes of one route alternately: added, removed, added.
    pub(in crate::client) fn push(&mut self, action: Action, route: Route) {
        match self.pending.entry((route.vni, route.destination, route.next_hop)) {
            // The reader knows the route as it was before the pending change: the two changes cancel out.
            Entry::Occupied(waits) if *waits.get() != action => {
                waits.remove();
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(none) => {
                none.insert(action);
            }
        }
    }

    pub(in crate::client) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether [`Self::take`] was called before.
    pub(in crate::client) fn was_taken(&self) -> bool {
        self.was_taken
    }

    /// How often taking has come round: a change that waits now is taken within two more rounds.
    pub(in crate::client) fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Whether any change of `vni` waits.
    pub(in crate::client) fn has(&self, vni: Vni) -> bool {
        self.pending.range(vni_range(vni)).next().is_some()
    }

    /// Forgets the waiting changes of `vni`.
    pub(in crate::client) fn forget(&mut self, vni: Vni) {
        let keys: Vec<_> = self.pending.range(vni_range(vni)).map(|(key, _)| *key).collect();
        for key in keys {
            self.pending.remove(&key);
        }
    }

    /// Takes about `max` changes: whole destinations, and removals of each destination first.
    pub(in crate::client) fn take(&mut self, max: usize) -> Vec<Update> {
        self.was_taken = true;
        let mut updates = Vec::with_capacity(max.min(self.pending.len()));
        while updates.len() < max
            && let Some((key, hops)) = self.next()
        {
            let first = updates.len();
            for (action, next_hop) in hops {
                let route = Route { vni: key.0, destination: key.1, next_hop };
                updates.push(route.update(action));
            }
            updates[first..].sort_by_key(|update| update.action == Action::Add);
        }
        updates
    }

    fn next(&mut self) -> Option<(FeedKey, Vec<(Action, NextHop)>)> {
        let behind = self.taken.map_or(Bound::Unbounded, |(vni, destination)| {
            Bound::Excluded((vni, destination, NextHop::LAST))
        });
        let mut first = self.pending.range((behind, Bound::Unbounded)).next();
        if first.is_none() {
            self.rounds += 1;
            first = self.pending.first_key_value();
        }
        let key = first.map(|((vni, destination, _), _)| (*vni, *destination));
        self.taken = key;
        let (vni, destination) = key?;
        let all = (vni, destination, NextHop::FIRST)..=(vni, destination, NextHop::LAST);
        let waiting = self.pending.range(all);
        let hops: Vec<_> = waiting.map(|((.., next_hop), action)| (*action, *next_hop)).collect();
        for (_, next_hop) in &hops {
            self.pending.remove(&(vni, destination, *next_hop));
        }
        Some(((vni, destination), hops))
    }
}

/// The range of all destinations of a VNI.
fn vni_range(vni: Vni) -> impl std::ops::RangeBounds<(Vni, Destination, NextHop)> {
    (vni, Destination::FIRST, NextHop::FIRST)..=(vni, Destination::LAST, NextHop::LAST)
}

/// The newest value of each key that changed since a reader last took.
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

    /// Takes everything that waits.
    pub(in crate::client) fn take(&mut self) -> Vec<(K, V)> {
        std::mem::take(&mut self.pending).into_iter().collect()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Latest<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        Self { pending: all.into_iter().collect() }
    }
}
