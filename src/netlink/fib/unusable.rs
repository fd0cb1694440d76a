//! Routes that are announced and can't be installed, because of where they lead.
//!
//! State: how many there are by why, the host's own underlay addresses, and the hops that wait until
//! an address is no longer one of them. Each reason is told once in the log, whatever comes and goes:
//! who announces such a route may do so a thousand times a second.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::notes::Kind;
use super::settings::Target;
use super::{Fib, Ticket};
use crate::client::Route;
use crate::netlink::kernel::RouteKey;
use crate::wire::{Action, Destination, Flaw, Update};

/// Why a next hop can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unusable {
    /// Nobody can send to its address.
    Flaw(Flaw),
    /// It is an IPv4 address.
    Ipv4,
    /// Its VNI needs more bits than a packet has for it.
    TargetVni,
    /// It is this host.
    OwnAddress,
}

/// How many there are.
pub(crate) const KINDS: usize = Flaw::ALL.len() + 3;

impl Unusable {
    /// All of them, in order.
    const ALL: [Self; KINDS] = {
        let [a, b, c, d, e] = Flaw::ALL;
        [
            Self::Flaw(a),
            Self::Flaw(b),
            Self::Flaw(c),
            Self::Flaw(d),
            Self::Flaw(e),
            Self::Ipv4,
            Self::TargetVni,
            Self::OwnAddress,
        ]
    };

    fn index(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or(0)
    }

    /// One word, for labels of metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Flaw(flaw) => flaw.name(),
            Self::Ipv4 => "ipv4",
            Self::TargetVni => "target_vni",
            Self::OwnAddress => "own_address",
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flaw(flaw) => return flaw.fmt(f),
            Self::Ipv4 => "the next hop is an IPv4 address, and the tunnel sends over IPv6 only",
            Self::TargetVni => "the target VNI is above 16777215, and packets have 24 bits for it",
            Self::OwnAddress => {
                "the next hop is an address of this host, to which its packets would come back"
            }
        })
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    counts: [usize; KINDS],
    told: [bool; KINDS],
    own: Networks,
    /// Hops that lead to this host, and how many routes announce each.
    held: BTreeMap<(RouteKey, Target), u32>,
}

impl Refusals {
    /// Routes that can't be installed now, by why.
    pub(crate) fn counts(&self) -> [(&'static str, usize); KINDS] {
        let mut counts = self.counts.iter();
        Unusable::ALL.map(|why| (why.name(), counts.next().copied().unwrap_or(0)))
    }

    /// One route fewer; what was never counted is none.
    fn withdrawn(&mut self, why: Unusable) {
        let count = &mut self.counts[why.index()];
        *count = count.saturating_sub(1);
    }

    /// A hop is announced by one route more; whether it leads to this host.
    pub(crate) fn hold(&mut self, key: RouteKey, target: Target) -> bool {
        let own = self.own.contains(target.underlay);
        if own {
            *self.held.entry((key, target)).or_insert(0) += 1;
        }
        own
    }

    /// A hop is announced by one route fewer; whether it was one that leads to this host.
    pub(crate) fn let_go(&mut self, key: RouteKey, target: Target) -> bool {
        let Some(routes) = self.held.get_mut(&(key, target)) else { return false };
        *routes -= 1;
        if *routes == 0 {
            self.held.remove(&(key, target));
        }
        true
    }

    fn add(&mut self, why: Unusable, routes: usize) -> bool {
        self.counts[why.index()] += routes;
        !std::mem::replace(&mut self.told[why.index()], true)
    }
}

impl Fib {
    /// A route that can't be installed is announced or withdrawn.
    pub(super) fn refuse_or_forget(&mut self, change: &Update, why: Unusable) -> Ticket {
        if change.action == Action::Remove {
            self.refusals.withdrawn(why);
            return Ticket::Done;
        }
        if self.refusals.add(why, 1) {
            self.tell(&Route::from(*change), why);
        }
        Ticket::Unusable(why)
    }

    fn tell(&mut self, route: &dyn fmt::Display, why: Unusable) {
        let name = why.name();
        let remark = format_args!(
            "{route} is not installed: {why}. More of them are counted and not logged \
             (metalbond_kernel_unusable_routes, reason {name})"
        );
        self.notes.add(Kind::Unusable, remark);
    }

    /// Takes in the addresses and prefixes that this host takes packets for.
    pub(crate) fn saw_own(&mut self, networks: Vec<Destination>) {
        let own = Networks::new(networks);
        if self.refusals.own == own {
            return;
        }
        self.refusals.own = own;
        let free = |refusals: &Refusals, target: Target| !refusals.own.contains(target.underlay);
        let freed: Vec<_> = self
            .refusals
            .held
            .iter()
            .filter(|((_, target), _)| free(&self.refusals, *target))
            .map(|(&(key, target), &routes)| (key, target, routes))
            .collect();
        for (key, target, routes) in freed {
            let id = self.routes.find_or_insert(&key);
            // A destination with too many hops keeps this one waiting.
            for _ in 0..routes {
                if self.routes.announce(id, target) {
                    self.refusals.let_go(key, target);
                    self.refusals.withdrawn(Unusable::OwnAddress);
                }
            }
            self.touch(id);
        }
        let caught: Vec<_> = self
            .routes
            .ids()
            .flat_map(|id| self.routes[id].wanted.iter().map(move |wanted| (id, *wanted)))
            .filter(|(_, wanted)| !free(&self.refusals, wanted.target))
            .collect();
        for (id, wanted) in caught {
            let (key, target) = (self.routes[id].key, wanted.target);
            for _ in 0..wanted.routes {
                self.routes.withdraw(id, target);
                self.refusals.hold(key, target);
            }
            if self.refusals.add(Unusable::OwnAddress, wanted.routes as usize) {
                let route = format!("{key} via {}", target.underlay);
                self.tell(&route, Unusable::OwnAddress);
            }
            self.touch(id);
        }
    }
}

/// A set of IPv6 prefixes.
#[derive(PartialEq, Eq, Default, Debug)]
struct Networks {
    /// By length: there are few lengths, and any number of addresses of one.
    by_length: BTreeMap<u8, BTreeSet<Destination>>,
}

impl Networks {
    fn new(networks: Vec<Destination>) -> Self {
        let mut this = Self::default();
        for network in networks {
            let length = network.prefix_len();
            this.by_length.entry(length).or_default().insert(network.network());
        }
        this
    }

    fn contains(&self, address: Ipv6Addr) -> bool {
        self.by_length.iter().any(|(&length, networks)| {
            let within = Destination::new(IpAddr::V6(address), length);
            within.is_ok_and(|within| networks.contains(&within.network()))
        })
    }
}
