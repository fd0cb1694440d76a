//! The subscriptions and announcements that the application wants, independent of servers.

use std::collections::{BTreeMap, BTreeSet};

use super::route_key::of_network;
use crate::client::Route;
use crate::wire::{Destination, NextHop, Vni};

/// Subscriptions and announcements.
#[derive(Debug, Default)]
pub(super) struct Intent {
    subscriptions: BTreeSet<Vni>,
    announcements: BTreeMap<Vni, BTreeSet<(Destination, NextHop)>>,
}

impl Intent {
    /// `false` when the subscription was there already.
    pub(super) fn subscribe(&mut self, vni: Vni) -> bool {
        self.subscriptions.insert(vni)
    }

    /// `false` when there was no such subscription.
    pub(super) fn unsubscribe(&mut self, vni: Vni) -> bool {
        self.subscriptions.remove(&vni)
    }

    pub(super) fn is_subscribed(&self, vni: Vni) -> bool {
        self.subscriptions.contains(&vni)
    }

    pub(super) fn subscriptions(&self) -> impl Iterator<Item = Vni> {
        self.subscriptions.iter().copied()
    }

    /// `false` when the announcement was there already.
    pub(super) fn announce(&mut self, route: Route) -> bool {
        let vni = self.announcements.entry(route.vni).or_default();
        vni.insert((route.destination, route.next_hop))
    }

    /// `false` when there was no such announcement.
    pub(super) fn withdraw(&mut self, route: Route) -> bool {
        let Some(vni) = self.announcements.get_mut(&route.vni) else { return false };
        let had = vni.remove(&(route.destination, route.next_hop));
        if vni.is_empty() {
            self.announcements.remove(&route.vni);
        }
        had
    }

    pub(super) fn is_announced(&self, route: Route) -> bool {
        let vni = self.announcements.get(&route.vni);
        vni.is_some_and(|vni| vni.contains(&(route.destination, route.next_hop)))
    }

    /// Whether the network of `destination` is announced here, with any host bits and next hop.
    pub(super) fn announces(&self, vni: Vni, destination: Destination) -> bool {
        let Some(announced) = self.announcements.get(&vni) else { return false };
        announced.range(of_network(destination)).next().is_some()
    }

    /// The announcements in `vni`, in order.
    pub(super) fn announcements(&self, vni: Vni) -> impl Iterator<Item = Route> {
        let announced = self.announcements.get(&vni);
        announced.into_iter().flatten().map(move |(destination, next_hop)| Route {
            vni,
            destination: *destination,
            next_hop: *next_hop,
        })
    }

    /// All announcements, in order.
    pub(super) fn all_announcements(&self) -> impl Iterator<Item = Route> {
        self.announcements.keys().flat_map(|vni| self.announcements(*vni))
    }
}
