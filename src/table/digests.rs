//! What members are owed of a VNI, as digests. Computed in slices when somebody asks, so an update costs nothing.

use std::collections::HashMap;

use super::vnet::Vnet;
use crate::ids::{Moment, PeerId};
use crate::wire::Digest;

/// A slice of the routes of a VNI, or all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sums {
    /// All announced routes. A client is owed these without its own.
    pub(crate) clients: Digest,
    /// The routes that a client announces. A server is owed these.
    pub(crate) servers: Digest,
    /// For each peer, the routes that only this peer announces.
    pub(crate) own: HashMap<PeerId, Digest>,
    /// The position of the next change: each change moves it.
    pub(crate) head: u64,
    /// When the newest change came, as far as the ages tell.
    pub(crate) changed: Option<Moment>,
    /// The place where the next slice begins; `None` after the last slice.
    pub(crate) next: Option<u32>,
}

impl Sums {
    /// The digest of the routes that a peer is owed.
    pub(crate) fn owed(&self, peer: PeerId, is_server: bool) -> Digest {
        if is_server {
            return self.servers;
        }
        let own = self.own.get(&peer).copied().unwrap_or_default();
        self.clients.without(&own)
    }

    /// Adds the next slice.
    pub(crate) fn append(&mut self, slice: &Self) {
        self.clients = self.clients.with(&slice.clients);
        self.servers = self.servers.with(&slice.servers);
        for (peer, own) in &slice.own {
            let sum = self.own.entry(*peer).or_default();
            *sum = sum.with(own);
        }
        (self.head, self.changed, self.next) = (slice.head, slice.changed, slice.next);
    }
}

impl Vnet {
    /// The sums of the routes from a place on, among `places` places.
    pub(crate) fn sums(&self, now: Moment, from: u32, places: u32) -> Sums {
        let end = self.routes.end();
        let last = end.min(from.saturating_add(places.max(1)));
        let head = self.journal.head();
        let changed = match head.checked_sub(1) {
            _ if head > self.open => Some(now),
            Some(newest) => self.ages.of(newest),
            None => None,
        };
        let next = (last < end).then_some(last);
        let mut sums = Sums { head, changed, next, ..Sums::default() };
        for place in from..last {
            let Some(route) = self.routes.announced_at(place) else { continue };
            let (destination, next_hop) = (route.destination(), self.routes.next_hop_of(place));
            let view = self.view(place);
            let mut route = Digest::default();
            route.add(destination, &next_hop);
            sums.clients = sums.clients.with(&route);
            if view.has_client() {
                sums.servers = sums.servers.with(&route);
            }
            if let Some(member) = view.sole_member() {
                let own = sums.own.entry(self.members[member].origin.peer).or_default();
                *own = own.with(&route);
            }
        }
        sums
    }
}
