//! Answers to operators' questions: the leaf's state in order and in parts, the size of which the caller bounds.

use std::net::IpAddr;
use std::ops::Bound;

use super::adj_rib_in::{AdjRibIn, HeldRoute};
use super::route_key::{RibKey, of_network};
use super::{Leaf, ServerSlot, Servers};
use crate::client::Route;
use crate::ids::Moment;
use crate::wire::{Destination, Lookup, NextHop, Vni};

/// Counts of a subscribed VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::client) struct VniCounts {
    pub(in crate::client) vni: Vni,
    pub(in crate::client) routes: usize,
    pub(in crate::client) stale: usize,
    pub(in crate::client) refused: usize,
    pub(in crate::client) in_sync: Vec<ServerSlot>,
}

/// A route that servers announce, or announced before they were lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::client) struct FoundRoute {
    pub(in crate::client) route: Route,
    /// Empty when the route is stale.
    pub(in crate::client) servers: Vec<ServerSlot>,
    pub(in crate::client) since: Moment,
    pub(in crate::client) stale_since: Option<Moment>,
}

/// What the leaf knows of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::client) struct NetworkFacts {
    pub(in crate::client) is_subscribed: bool,
    pub(in crate::client) is_own: bool,
    pub(in crate::client) routes: Vec<FoundRoute>,
    pub(in crate::client) waiting: Vec<(Route, Vec<ServerSlot>)>,
    pub(in crate::client) forgotten: usize,
}

impl Leaf {
    /// The routes of `vni` that servers announce, or announced before they were lost.
    pub(in crate::client) fn routes(&self, vni: Vni) -> Vec<Route> {
        let all = self.adj_ribs_in.get(&vni).into_iter().flat_map(AdjRibIn::routes);
        all.map(|(destination, next_hop)| Route { vni, destination, next_hop }).collect()
    }

    pub(in crate::client) fn next_hops(&self, vni: Vni, destination: Destination) -> Vec<NextHop> {
        let rib = self.adj_ribs_in.get(&vni);
        rib.into_iter().flat_map(|rib| rib.next_hops(destination)).collect()
    }

    /// At most `max` subscribed VNIs, from the first or from the one after `after`.
    pub(in crate::client) fn vni_counts(&self, after: Option<Vni>, max: usize) -> Vec<VniCounts> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let vnis = self.adj_ribs_in.range((from, Bound::Unbounded)).take(max);
        let counts = |(vni, rib): (&Vni, &AdjRibIn)| {
            let (routes, stale) = rib.counts();
            let (refused, in_sync) = (rib.waiting.count(), rib.in_sync().slots().collect());
            VniCounts { vni: *vni, routes, stale, refused, in_sync }
        };
        vnis.map(counts).collect()
    }

    /// At most `max` routes of a VNI, from the first or after `after`. `None` when the leaf is not subscribed to it.
    pub(in crate::client) fn routes_of(
        &self,
        vni: Vni,
        what: Option<Lookup>,
        after: Option<RibKey>,
        max: usize,
    ) -> Option<Vec<FoundRoute>> {
        let rib = self.adj_ribs_in.get(&vni)?;
        let found = match what {
            None => Some((Destination::FIRST, Destination::LAST)),
            Some(Lookup::Exact(destination)) => Some((destination, destination)),
            Some(Lookup::Longest(address)) => longest(rib, address),
        };
        let Some((first, last)) = found else { return Some(Vec::new()) };
        let (first, last) = ((first, NextHop::FIRST), (last, NextHop::LAST));
        let from = match after {
            // A range must not end before it begins.
            Some(after) if after >= last => return Some(Vec::new()),
            Some(after) if after >= first => Bound::Excluded(after),
            _ => Bound::Included(first),
        };
        let all = rib.between((from, Bound::Included(last))).take(max);
        Some(all.map(|(key, held)| found_route(rib, vni, key, held)).collect())
    }

    /// What the leaf knows of a destination's network: at most `max` routes, whatever their host bits.
    pub(in crate::client) fn network(
        &self,
        vni: Vni,
        destination: Destination,
        max: usize,
    ) -> NetworkFacts {
        let is_own = self.intent.announces(vni, destination);
        let Some(rib) = self.adj_ribs_in.get(&vni) else {
            let (routes, waiting) = (Vec::new(), Vec::new());
            return NetworkFacts { is_subscribed: false, is_own, routes, waiting, forgotten: 0 };
        };
        let (first, last) = of_network(destination).into_inner();
        let all = rib.between((Bound::Included(first), Bound::Included(last))).take(max);
        let routes = all.map(|(key, held)| found_route(rib, vni, key, held)).collect();
        let waits = |((destination, next_hop), servers): (RibKey, Servers)| {
            (Route { vni, destination, next_hop }, servers.slots().collect())
        };
        let waiting = rib.waiting.of_network(destination).take(max).map(waits).collect();
        let forgotten = rib.waiting.count() - rib.waiting.len();
        NetworkFacts { is_subscribed: true, is_own, routes, waiting, forgotten }
    }
}

fn found_route(rib: &AdjRibIn, vni: Vni, key: RibKey, held: HeldRoute) -> FoundRoute {
    let (destination, next_hop) = key;
    FoundRoute {
        route: Route { vni, destination, next_hop },
        servers: held.servers.slots().collect(),
        since: held.since,
        stale_since: held.servers.is_empty().then(|| rib.stale_since(key)).flatten(),
    }
}

/// The first and the last of the longest prefixes that contain an address. There may be several, since host bits
/// belong to a route's identity; destinations are ordered by length before bits, so all between the two are of
/// this length and contain the address.
fn longest(rib: &AdjRibIn, address: IpAddr) -> Option<(Destination, Destination)> {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (0..=bits).rev().find_map(|length| {
        let any = Destination::new(address, length).ok()?;
        let (first, last) = (any.network(), any.last_of_network());
        let keys = ((first, NextHop::FIRST), (last, NextHop::LAST));
        let mut found = rib.between((Bound::Included(keys.0), Bound::Included(keys.1)));
        found.next().map(|_| (first, last))
    })
}
