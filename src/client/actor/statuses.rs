//! Answers about servers, VNIs, routes and networks; servers are named by their addresses.

use super::Actor;
use crate::client::core::{FoundRoute, NetworkFacts, VniCounts};
use crate::client::{NetworkStatus, PeerStatus, Route, RouteStatus, VniStatus};
use crate::wire::{Destination, Lookup, Vni};

impl Actor {
    pub(super) fn peer_statuses(&self) -> Vec<(String, PeerStatus)> {
        let peers = self.peers.values();
        peers.map(|peer| (peer.address.clone(), peer.status.clone())).collect()
    }

    /// `None` if the leaf is not subscribed to the VNI.
    pub(super) fn route_statuses(
        &self,
        vni: Vni,
        what: Option<Lookup>,
        after: Option<Route>,
        max: usize,
    ) -> Option<Vec<RouteStatus>> {
        let after = after.map(|route| (route.destination, route.next_hop));
        let found = self.leaf.routes_of(vni, what, after, max)?;
        Some(found.into_iter().map(|found| self.route_status(found)).collect())
    }

    fn route_status(&self, found: FoundRoute) -> RouteStatus {
        let FoundRoute { route, servers, since, stale_since } = found;
        RouteStatus {
            route,
            servers: self.names(servers),
            since: self.clock.instant(since).into(),
            stale_since: stale_since.map(|moment| self.clock.instant(moment).into()),
        }
    }

    pub(super) fn network_status(
        &self,
        vni: Vni,
        destination: Destination,
        max: usize,
    ) -> NetworkStatus {
        let facts = self.leaf.network(vni, destination, max);
        let NetworkFacts { is_subscribed, is_own, routes, waiting, forgotten } = facts;
        let refused = waiting.into_iter().map(|(route, slots)| (route, self.names(slots)));
        NetworkStatus {
            is_subscribed,
            is_own,
            routes: routes.into_iter().map(|found| self.route_status(found)).collect(),
            refused: refused.collect(),
            forgotten,
        }
    }

    pub(super) fn vni_statuses(&self, after: Option<Vni>, max: usize) -> Vec<VniStatus> {
        let status = |look: VniCounts| {
            let VniCounts { vni, routes, stale, refused, in_sync } = look;
            VniStatus { vni, routes, stale, refused, in_sync: self.names(in_sync) }
        };
        self.leaf.vni_counts(after, max).into_iter().map(status).collect()
    }
}
