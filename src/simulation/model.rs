//! The rules of `docs/protocol.md`, "What a subscriber is owed", word by word and without any cleverness.
//!
//! State: who announces what, as of the bytes that shards have received.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Key;
use crate::ids::PeerId;

/// The peer whose owed routes are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) peer: PeerId,
    pub(super) is_server: bool,
    /// By next hop: whether the peer receives its own routes as well.
    pub(super) own: &'a [bool],
}

impl Reader<'_> {
    fn has_own(&self, hop: u32) -> bool {
        self.own[hop as usize]
    }
}

/// One peer's announcement of one route.
#[derive(Debug, Clone, Copy)]
struct Announcer {
    is_server: bool,
    /// Whether the policy lets others see it.
    is_allowed: bool,
    /// When the announcement began, or was allowed.
    since: u64,
    /// Whether the present policy closes the peer for it: it had reached the owner of its VNI when the policy came.
    is_fatal: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Model {
    routes: BTreeMap<Key, BTreeMap<PeerId, Announcer>>,
    /// Up to two peers that ever announced a route, and whether any client ever announced it.
    ever: BTreeMap<Key, (Vec<PeerId>, bool)>,
    /// Every announcement that was ever made, by peer and route.
    announced_once: BTreeSet<(PeerId, Key)>,
    /// The announcements up to this event have reached the owners of their VNIs.
    pub(super) settled: u64,
    clock: u64,
}

impl Model {
    /// The number of model events so far, to compare with `settled`.
    pub(super) fn now(&self) -> u64 {
        self.clock
    }

    /// Announces a route; `false` when the peer announces it already.
    pub(super) fn announce(
        &mut self,
        peer: PeerId,
        is_server: bool,
        is_allowed: bool,
        key: Key,
    ) -> bool {
        self.clock += 1;
        self.announced_once.insert((peer, key));
        let (ever, by_client) = self.ever.entry(key).or_default();
        *by_client |= !is_server;
        if ever.len() < 2 && !ever.contains(&peer) {
            ever.push(peer);
        }
        let announcers = self.routes.entry(key).or_default();
        if announcers.contains_key(&peer) {
            return false;
        }
        announcers
            .insert(peer, Announcer { is_server, is_allowed, since: self.clock, is_fatal: false });
        true
    }

    /// Another policy comes into force, which may close peers whose routes it hides. Returns these routes.
    pub(super) fn judge(&mut self, closes: bool, allows: impl Fn(PeerId, Key) -> bool) -> Vec<Key> {
        self.clock += 1;
        let mut hidden = Vec::new();
        for (key, announcers) in &mut self.routes {
            for (peer, about) in announcers {
                let before = std::mem::replace(&mut about.is_allowed, allows(*peer, *key));
                let is_hidden = before && !about.is_allowed;
                about.is_fatal = closes && is_hidden && about.since <= self.settled;
                if about.is_allowed && !before {
                    about.since = self.clock;
                } else if is_hidden {
                    hidden.push(*key);
                }
            }
        }
        hidden
    }

    pub(super) fn withdraw(&mut self, peer: PeerId, key: Key) -> bool {
        let Some(announcers) = self.routes.get_mut(&key) else { return false };
        let found = announcers.remove(&peer).is_some();
        if announcers.is_empty() {
            self.routes.remove(&key);
        }
        found
    }

    /// Withdraws the announced routes of a peer, in one VNI or everywhere.
    pub(super) fn leave(&mut self, peer: PeerId, vni: Option<u32>) -> Vec<Key> {
        let keys: Vec<Key> = self
            .routes
            .iter()
            .filter(|((v, ..), by)| vni.is_none_or(|vni| vni == *v) && by.contains_key(&peer))
            .map(|(key, _)| *key)
            .collect();
        for key in &keys {
            self.withdraw(peer, *key);
        }
        keys
    }

    /// The number of routes of a VNI that were ever announced and for which `is` holds.
    pub(super) fn ever(&self, vni: u32, is: impl Fn(u32) -> bool) -> usize {
        self.ever.keys().filter(|(place, dest, _)| *place == vni && is(*dest)).count()
    }

    /// Whether a peer is the only announcer of a route.
    pub(super) fn is_alone(&self, peer: PeerId, key: Key) -> bool {
        self.routes
            .get(&key)
            .is_some_and(|by| by.len() == 1 && by.get(&peer).is_some_and(|about| about.is_allowed))
    }

    /// The routes of a VNI, each with its announcers.
    pub(super) fn announced(&self, vni: u32) -> BTreeMap<(u32, u32), BTreeSet<PeerId>> {
        self.routes
            .range((vni, 0, 0)..=(vni, u32::MAX, u32::MAX))
            .filter_map(|((_, dest, hop), by)| {
                let allowed = by.iter().filter(|(_, about)| about.is_allowed);
                let peers: BTreeSet<_> = allowed.map(|(peer, _)| *peer).collect();
                (!peers.is_empty()).then_some(((*dest, *hop), peers))
            })
            .collect()
    }

    /// A route of a peer for which the policy closes the peer, if there is one.
    pub(super) fn fatal_route_of(&self, peer: PeerId) -> Option<Key> {
        let is_fatal =
            |by: &BTreeMap<PeerId, Announcer>| by.get(&peer).is_some_and(|it| it.is_fatal);
        self.routes.iter().find(|(_, by)| is_fatal(by)).map(|(key, _)| *key)
    }

    /// The number of routes that a peer announces.
    pub(super) fn routes_of(&self, peer: PeerId) -> usize {
        self.routes.values().filter(|by| by.contains_key(&peer)).count()
    }

    /// The routes of one VNI that a peer is owed: destinations and next hops.
    pub(super) fn view(&self, reader: Reader<'_>, vni: u32) -> BTreeSet<(u32, u32)> {
        self.visible(reader, vni, u64::MAX)
    }

    /// The part of a view that has reached the VNI's owner, and so belongs to every dump from now on.
    pub(super) fn settled_view(&self, reader: Reader<'_>, vni: u32) -> BTreeSet<(u32, u32)> {
        self.visible(reader, vni, self.settled)
    }

    /// Whether a peer may ever have been owed a route.
    pub(super) fn was_ever_owed(&self, reader: Reader<'_>, key: Key) -> bool {
        self.ever.get(&key).is_some_and(|(by, by_client)| {
            let is_owed = |peer: &PeerId| *peer != reader.peer || reader.has_own(key.2);
            if reader.is_server { *by_client } else { by.iter().any(is_owed) }
        })
    }

    /// Whether a peer ever announced a route, and whether it does now.
    pub(super) fn has_announced(&self, peer: PeerId, key: Key) -> (bool, bool) {
        let does = self.routes.get(&key).is_some_and(|by| by.contains_key(&peer));
        (self.announced_once.contains(&(peer, key)), does)
    }

    fn visible(&self, reader: Reader<'_>, vni: u32, until: u64) -> BTreeSet<(u32, u32)> {
        let Reader { peer, is_server, .. } = reader;
        self.routes
            .range((vni, 0, 0)..=(vni, u32::MAX, u32::MAX))
            .filter(|((.., hop), by)| {
                by.iter().any(|(announcer, about)| {
                    about.is_allowed
                        && (*announcer != peer || reader.has_own(*hop))
                        && !(is_server && about.is_server)
                        && about.since <= until
                })
            })
            .map(|((_, dest, hop), _)| (*dest, *hop))
            .collect()
    }
}
