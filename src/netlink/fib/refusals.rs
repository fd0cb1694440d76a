//! Routes that are announced but cannot be installed, because of their next hops.
//!
//! State: the number of these routes by reason and by VNI; the number of routes that the configuration leaves out; the
//! host's own underlay addresses; and the next hops that wait until an address is no longer one of these. Each reason
//! is logged once, however often such routes come and go: a peer may announce one a thousand times a second.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::config::Target;
use super::unusable::{KINDS, Unusable};
use crate::netlink::model::RouteKey;
use crate::wire::{Action, Destination, Vni};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    counts: [usize; KINDS],
    logged: [bool; KINDS],
    unusable: BTreeMap<Vni, usize>,
    excluded: BTreeMap<Vni, usize>,
    pub(super) own: Networks,
    /// Hops that lead to this host, and how many routes announce each hop.
    pub(super) held: BTreeMap<(RouteKey, Target), u32>,
}

impl Refusals {
    /// The numbers of routes that can't be installed now, by reason.
    pub(crate) fn counts(&self) -> [(&'static str, usize); KINDS] {
        let mut counts = self.counts.iter();
        Unusable::ALL.map(|why| (why.name(), counts.next().copied().unwrap_or(0)))
    }

    /// The numbers of a VNI's routes that the configuration leaves out, and that can't be installed.
    pub(super) fn of(&self, vni: Vni) -> (usize, usize) {
        let count = |of: &BTreeMap<Vni, usize>| of.get(&vni).copied().unwrap_or(0);
        (count(&self.excluded), count(&self.unusable))
    }

    /// A route that the configuration leaves out is announced or withdrawn.
    pub(super) fn exclude(&mut self, vni: Vni, action: Action) {
        let count = self.excluded.entry(vni).or_insert(0);
        *count = match action {
            Action::Add => *count + 1,
            Action::Remove => count.saturating_sub(1),
        };
    }

    /// Counts one route of a VNI less; a count of 0 stays 0.
    pub(super) fn withdrawn(&mut self, vni: Vni, why: Unusable) {
        let count = &mut self.counts[why.index()];
        *count = count.saturating_sub(1);
        let of_vni = self.unusable.entry(vni).or_insert(0);
        *of_vni = of_vni.saturating_sub(1);
    }

    /// One more route announces a hop; returns whether the hop leads to this host.
    pub(crate) fn hold(&mut self, key: RouteKey, target: Target) -> bool {
        let own = self.own.contains(target.underlay);
        if own {
            *self.held.entry((key, target)).or_insert(0) += 1;
        }
        own
    }

    /// One route fewer announces a hop; returns whether the hop was held as leading to this host.
    pub(crate) fn release(&mut self, key: RouteKey, target: Target) -> bool {
        let Some(routes) = self.held.get_mut(&(key, target)) else { return false };
        *routes -= 1;
        if *routes == 0 {
            self.held.remove(&(key, target));
        }
        true
    }

    /// Forgets the held hops of these VNIs.
    pub(super) fn forget(&mut self, vnis: &BTreeSet<Vni>) {
        self.held.retain(|(_, target), _| !vnis.contains(&target.source));
    }

    /// Counts `routes` more routes of a VNI; returns whether the log has yet to name this reason.
    pub(super) fn add(&mut self, vni: Vni, why: Unusable, routes: usize) -> bool {
        *self.unusable.entry(vni).or_insert(0) += routes;
        self.counts[why.index()] += routes;
        !std::mem::replace(&mut self.logged[why.index()], true)
    }
}

/// A set of IPv6 prefixes.
#[derive(PartialEq, Eq, Default, Debug)]
pub(super) struct Networks {
    /// By length: there are few lengths, and any number of addresses of one length.
    by_length: BTreeMap<u8, BTreeSet<Destination>>,
}

impl Networks {
    pub(super) fn new(networks: Vec<Destination>) -> Self {
        let mut this = Self::default();
        for network in networks {
            let length = network.prefix_len();
            this.by_length.entry(length).or_default().insert(network.network());
        }
        this
    }

    pub(super) fn contains(&self, address: Ipv6Addr) -> bool {
        self.by_length.iter().any(|(&length, networks)| {
            let within = Destination::new(IpAddr::V6(address), length);
            within.is_ok_and(|within| networks.contains(&within.network()))
        })
    }
}
