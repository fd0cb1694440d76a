//! A state machine on a model kernel, driven like the writer drives it, with checks at every step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashMap;

use super::model::Model;
use crate::dataplane::{Route, RouteError};
use crate::ids::Moment;
use crate::netlink::fib::{Fib, FibConfig, Query};
use crate::netlink::model::{Hop, KernelEvent, ObjectBody, RouteKey, Via};
use crate::wire::{Action, Destination, NextHop, NextHopType, Vni};

pub(super) const OURS: u8 = 254;
pub(super) const STATIC: u8 = 4;
pub(super) const DEVICE: u32 = 7;

/// VNIs and their tables.
pub(super) const VNIS: [(u32, u32); 2] = [(100, 1100), (200, 1200)];

pub(super) struct World {
    pub(super) fib: Fib,
    pub(super) kernel: Model,
    pub(super) now: Moment,
    pub(super) announced: BTreeSet<Route>,
    pub(super) objects: bool,
    /// The table that each VNI has now.
    pub(super) tables: BTreeMap<Vni, u32>,
}

pub(super) fn config(objects: bool) -> FibConfig {
    let mut tables = HashMap::with_hasher(hasher());
    tables.extend(VNIS.map(|(vni, table)| (Vni(vni), table)));
    FibConfig {
        tables,
        device: "tun".to_owned(),
        protocol: OURS,
        metric: 0,
        ipv4_only: false,
        excluded: vec![NextHopType::Nat, NextHopType::LoadBalancerTarget],
        objects,
        ids: 1000..2000,
    }
}

pub(super) fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

pub(super) fn underlay(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n)
}

/// A plain route.
pub(super) fn route(vni: u32, destination: &str, hop: u16) -> Route {
    let (address, length) = destination.split_once('/').unwrap();
    let destination = Destination::new(address.parse().unwrap(), length.parse().unwrap()).unwrap();
    Route { vni: Vni(vni), destination, next_hop: NextHop::standard(IpAddr::V6(underlay(hop))) }
}

/// The key of a destination that has no host bits.
pub(super) fn key(table: u32, destination: &str) -> RouteKey {
    let destination = route(0, destination, 0).destination;
    let metric = if destination.addr().is_ipv6() { 1024 } else { 0 };
    RouteKey { table, destination, metric }
}

impl World {
    /// A writer just started beside a kernel with the device up.
    pub(super) fn new(objects: bool) -> Self {
        let kernel = Model { device: Some((DEVICE, true)), ..Model::default() };
        Self::on(kernel, objects)
    }

    /// A writer just started.
    pub(super) fn on(kernel: Model, objects: bool) -> Self {
        Self::with(kernel, objects, VNIS.map(|(vni, table)| (Vni(vni), table)).into())
    }

    fn with(kernel: Model, objects: bool, tables: BTreeMap<Vni, u32>) -> Self {
        let mut config = config(objects);
        config.tables.clear();
        config.tables.extend(tables.clone());
        let fib = Fib::new(config, &hasher());
        let announced = BTreeSet::new();
        let mut this = Self { fib, kernel, now: Moment(0), announced, objects, tables };
        this.fib.saw_device(this.kernel.device(), this.now);
        this.flush();
        this.kernel.log.clear();
        this
    }

    /// The writer ends without a stop and starts again; nothing is announced yet.
    pub(super) fn restart(&mut self) {
        let tables = self.tables.clone();
        let mut next = Self::with(std::mem::take(&mut self.kernel), self.objects, tables);
        next.kernel.events.clear();
        *self = next;
    }

    pub(super) fn apply(&mut self, changes: &[(Action, Route)]) -> Vec<Result<(), RouteError>> {
        // Hears events first: a replacement would hit a route whose event is still under way.
        self.hear();
        for (action, route) in changes {
            let changed = match action {
                Action::Add => self.announced.insert(*route),
                Action::Remove => self.announced.remove(route),
            };
            assert!(changed, "the contract: added once, removed once");
        }
        let tickets: Vec<_> =
            changes.iter().map(|(action, route)| self.fib.apply(&route.update(*action))).collect();
        self.flush();
        let results = tickets.into_iter().map(|ticket| self.fib.answer(ticket)).collect();
        self.fib.answered();
        results
    }

    pub(super) fn add(&mut self, routes: &[Route]) -> Vec<Result<(), RouteError>> {
        let changes: Vec<_> = routes.iter().map(|route| (Action::Add, *route)).collect();
        self.apply(&changes)
    }

    /// Adds without the checks, which are slow for thousands of routes.
    pub(super) fn fib_only(&mut self, routes: &[Route]) -> Vec<Result<(), RouteError>> {
        let tickets: Vec<_> =
            routes.iter().map(|route| self.fib.apply(&route.update(Action::Add))).collect();
        while self.fib.plan(self.now) {
            let requests = self.fib.requests().to_vec();
            let results = requests.iter().map(|request| self.kernel.request(request)).collect();
            self.fib.settle(Ok(results), self.now);
        }
        tickets.into_iter().map(|ticket| self.fib.answer(ticket)).collect()
    }

    pub(super) fn remove(&mut self, routes: &[Route]) -> Vec<Result<(), RouteError>> {
        let changes: Vec<_> = routes.iter().map(|route| (Action::Remove, *route)).collect();
        self.apply(&changes)
    }

    /// A VNI gets another table, or none; its announcements are handed over anew.
    pub(super) fn move_to(&mut self, vni: u32, table: Option<u32>) {
        let of_vni = |route: &&Route| route.vni == Vni(vni);
        let again: Vec<_> = self.announced.iter().filter(of_vni).copied().collect();
        self.remove(&again);
        self.hear();
        match table {
            Some(table) => self.tables.insert(Vni(vni), table),
            None => self.tables.remove(&Vni(vni)),
        };
        self.fib.set_tables(&self.tables, self.now);
        self.flush();
        self.fib.answered();
        self.add(&again);
    }

    pub(super) fn complete(&mut self, vni: u32) {
        self.hear();
        self.fib.complete(Vni(vni));
        self.flush();
        self.fib.answered();
    }

    /// The kernel's events arrive.
    pub(super) fn hear(&mut self) {
        for event in std::mem::take(&mut self.kernel.events) {
            self.fib.event(&event, self.now);
        }
        self.flush();
        self.fib.answered();
    }

    /// The kernel's events are lost.
    pub(super) fn overrun(&mut self) {
        self.kernel.events = vec![KernelEvent::Overrun];
        self.hear();
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.hear();
        while self.fib.wake() <= end {
            self.now = self.fib.wake().max(self.now + Duration::from_millis(1));
            self.fib.tick(self.now);
            self.flush();
            self.fib.answered();
            self.fib.lines(self.now);
            self.hear();
        }
        self.now = end.max(self.now);
    }

    /// Removes all routes, as a stop with `--cleanup` does.
    pub(super) fn clean_up(&mut self) {
        self.fib.clear();
        self.announced.clear();
        self.flush();
        self.fib.spare(self.kernel.used(), self.now);
        self.flush();
    }

    /// Flushes as the writer does, with checks after each request.
    pub(super) fn flush(&mut self) {
        let wanted = self.wanted();
        let ours = |kernel: &Model, key: &RouteKey| match kernel.routes.get(key) {
            Some((OURS, via)) => Some(kernel.resolve(via)),
            _ => None,
        };
        let mut present = Vec::new();
        for (key, hops) in &wanted {
            if let Some(there) = ours(&self.kernel, key) {
                present.push((*key, there == *hops));
            }
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 200, "a flush ends");
            if let Some(query) = self.fib.next_query(self.now) {
                match query {
                    Query::Device => self.fib.saw_device(self.kernel.device(), self.now),
                    Query::OwnAddresses => self.fib.saw_own(self.kernel.own.clone()),
                    Query::Objects => self.fib.saw_objects(self.kernel.dump_objects(), self.now),
                    Query::Lost => {
                        let ids = self.fib.lost();
                        let found = self.kernel.dump_objects().into_iter();
                        let found: Vec<_> = found.filter(|it| ids.contains(&it.id)).collect();
                        self.fib.saw_lost(&found, self.now);
                    }
                    Query::Users => self.fib.saw_users(self.kernel.used(), self.now),
                    Query::Routes(table) => {
                        self.fib.saw_routes(table, self.kernel.dump(table), self.now);
                    }
                }
                continue;
            }
            if !self.fib.plan(self.now) {
                return;
            }
            let mut results = Vec::new();
            for request in self.fib.requests().to_vec() {
                results.push(self.kernel.request(&request));
                for (key, right) in &present {
                    let there = ours(&self.kernel, key);
                    let Some(there) = there else { panic!("{request:?} takes {key:?} away") };
                    assert!(!right || there == wanted[key], "{request:?} changes {key:?}");
                }
            }
            self.fib.settle(Ok(results), self.now);
        }
    }

    /// The routes that should be installed according to the announcements.
    pub(super) fn wanted(&self) -> BTreeMap<RouteKey, Vec<Hop>> {
        let mut wanted: BTreeMap<RouteKey, Vec<Hop>> = BTreeMap::new();
        for route in &self.announced {
            let Some(table) = self.tables.get(&route.vni) else { continue };
            let text = match route.destination.addr() {
                // The only prefixes with host bits in these tests are /24.
                IpAddr::V4(v4) if route.destination.prefix_len() == 24 => {
                    let [a, b, c, _] = v4.octets();
                    format!("{a}.{b}.{c}.0/24")
                }
                _ => route.destination.to_string(),
            };
            let IpAddr::V6(underlay) = route.next_hop.address() else { continue };
            let own = self.kernel.own.iter().any(|own| own.addr() == route.next_hop.address());
            if own || route.next_hop.flaw().is_some() {
                continue;
            }
            let encap_id = match route.next_hop.target_vni() {
                0 => u64::from(route.vni.0),
                other => u64::from(other),
            };
            let device = self.kernel.device.map_or(0, |(index, _)| index);
            if encap_id >= 1 << 24 {
                continue;
            }
            let hops = wanted.entry(key(*table, &text)).or_default();
            hops.push(Hop { underlay, encap_id, device });
        }
        for hops in wanted.values_mut() {
            hops.sort_unstable();
            hops.dedup();
        }
        wanted
    }

    /// Checks that the kernel has exactly the wanted routes, except for conflicts.
    pub(super) fn check(&self, exactly: bool) {
        let wanted = self.wanted();
        for (key, hops) in &wanted {
            let (protocol, via) = self.kernel.routes.get(key).expect("a wanted route is there");
            if *protocol == OURS {
                let there = self.kernel.resolve(via);
                if exactly {
                    assert_eq!(there, *hops, "{key:?}");
                } else {
                    assert!(hops.iter().all(|hop| there.contains(hop)), "{key:?}");
                }
            }
        }
        if !exactly {
            return;
        }
        for (key, (protocol, _)) in &self.kernel.routes {
            assert!(*protocol != OURS || wanted.contains_key(key), "left over: {key:?}");
        }
        let by_routes = self.kernel.routes.values().filter_map(|(_, via)| match via {
            Via::Object(id) => Some(*id),
            _ => None,
        });
        let mut used: BTreeSet<_> = by_routes.collect();
        for object in self.kernel.objects.values() {
            if let ObjectBody::Group(members) = &object.body
                && used.contains(&object.id)
            {
                used.extend(members.iter().copied());
            }
        }
        let ours = self.kernel.objects.values().filter(|object| object.protocol == OURS);
        let there: BTreeSet<_> = ours.map(|object| object.id).collect();
        assert_eq!(there, used, "objects that nobody uses, or that are not there");
        let summary = self.fib.summary();
        assert_eq!(summary.installed, self.installed());
        assert_eq!(summary.objects, there.len());
        assert_eq!(summary.wanted, wanted.len());
    }

    pub(super) fn installed(&self) -> usize {
        self.kernel.routes.values().filter(|(protocol, _)| *protocol == OURS).count()
    }
}
