//! Virtual machines on hypervisors: which start, stop and move, and what each hypervisor should know.
//!
//! VM `v` belongs to tenant `v % tenants`. A hypervisor announces its VMs and is subscribed to the
//! VNIs of their tenants, as long as it has one. All is random but follows from the seed.

use crate::audience::deal;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::route_set::RouteSet;

/// The next event of a VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VmEvent {
    /// A VM starts; `first` when it is the tenant's first on that hypervisor.
    Start { vm: u32, host: u32, first: bool },
    /// A VM stops; `last` when it was the tenant's last on that hypervisor.
    Stop { vm: u32, host: u32, last: bool },
    /// A VM moves: it stops and starts.
    Move { vm: u32, from: u32, to: u32, first: bool, last: bool },
}

/// The size of the simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) hosts: u32,
    pub(crate) tenants: u32,
    /// The number of VMs; about half of them run.
    pub(crate) vms: u32,
    /// For this many events no VM of a tenant comes to a hypervisor that the tenant has left. By then the updates that
    /// the server sent before it knew are gone: nothing on the wire distinguishes them from the answer to the next
    /// SUBSCRIBE.
    pub(crate) absence: u64,
    /// How many tenants a hypervisor may have VMs of; all, if it equals `tenants`.
    pub(crate) tenants_per_host: u32,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Placement {
    size: Size,
    rng: Rng,
    /// All VMs, the running ones first.
    order: Vec<u32>,
    running: usize,
    /// The hypervisors of each tenant; `None` if each may be on all.
    places: Option<Vec<Vec<u32>>>,
    /// The present or last hypervisor of each VM.
    host: Vec<u32>,
    /// The number of VMs of each tenant on each hypervisor.
    counts: Vec<u32>,
    /// When each tenant left each hypervisor, as a number of events, from 1; 0 means never.
    left: Vec<u64>,
    events: u64,
}

impl Placement {
    /// No VM runs yet. Every tenant needs a hypervisor.
    pub(crate) fn new(size: Size, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut order: Vec<u32> = (0..size.vms).collect();
        rng.shuffle(&mut order);
        let pairs = size.hosts as usize * size.tenants as usize;
        let places = (size.tenants_per_host < size.tenants).then(|| {
            let mut places = vec![Vec::new(); size.tenants as usize];
            let hands = deal(size.hosts, size.tenants, size.tenants_per_host, &mut rng);
            for (host, tenants) in (0..).zip(hands) {
                tenants.iter().for_each(|tenant| places[*tenant as usize].push(host));
            }
            places
        });
        Self {
            size,
            rng,
            order,
            running: 0,
            places,
            host: vec![0; size.vms as usize],
            counts: vec![0; pairs],
            left: vec![0; pairs],
            events: 0,
        }
    }

    /// Starts a VM, if one is stopped.
    pub(crate) fn start(&mut self) -> Option<VmEvent> {
        let stopped = self.size.vms - u32::try_from(self.running).unwrap_or(u32::MAX);
        if stopped == 0 {
            return None;
        }
        let index = self.running + self.rng.below(stopped) as usize;
        let vm = self.order[index];
        let host = self.choose(vm, None)?;
        self.order.swap(index, self.running);
        self.running += 1;
        let first = self.enter(vm, host);
        Some(VmEvent::Start { vm, host, first })
    }

    /// The next event. `None` when the random choice found none.
    pub(crate) fn next(&mut self) -> Option<VmEvent> {
        self.events += 1;
        let running = u32::try_from(self.running).unwrap_or(u32::MAX);
        // Some VMs move; else as many start as stop, so that about half of all run.
        if self.rng.below(10) >= 4 || running == 0 {
            if self.rng.below(self.size.vms) >= running {
                return self.start();
            }
            return Some(self.stop());
        }
        let vm = self.order[self.rng.below(running) as usize];
        let from = self.host[vm as usize];
        let to = self.choose(vm, Some(from))?;
        let first = self.enter(vm, to);
        let last = self.leave(vm, from);
        Some(VmEvent::Move { vm, from, to, first, last })
    }

    fn stop(&mut self) -> VmEvent {
        let running = u32::try_from(self.running).unwrap_or(u32::MAX);
        let index = self.rng.below(running) as usize;
        let vm = self.order[index];
        self.running -= 1;
        self.order.swap(index, self.running);
        let host = self.host[vm as usize];
        let last = self.leave(vm, host);
        VmEvent::Stop { vm, host, last }
    }

    /// Chooses a hypervisor for a VM.
    fn choose(&mut self, vm: u32, other_than: Option<u32>) -> Option<u32> {
        for _ in 0..16 {
            let host = match &self.places {
                None => self.rng.below(self.size.hosts),
                Some(places) => {
                    let places = &places[(vm % self.size.tenants) as usize];
                    let count = u32::try_from(places.len()).unwrap_or(u32::MAX);
                    places[self.rng.below(count) as usize]
                }
            };
            let left = self.left[self.pair(vm, host)];
            let is_gone = left == 0 || self.events - left >= self.size.absence;
            if other_than != Some(host) && is_gone {
                return Some(host);
            }
        }
        None
    }

    fn enter(&mut self, vm: u32, host: u32) -> bool {
        let pair = self.pair(vm, host);
        self.host[vm as usize] = host;
        self.left[pair] = 0;
        self.counts[pair] += 1;
        self.counts[pair] == 1
    }

    fn leave(&mut self, vm: u32, host: u32) -> bool {
        let pair = self.pair(vm, host);
        self.counts[pair] -= 1;
        if self.counts[pair] == 0 {
            self.left[pair] = self.events.max(1);
        }
        self.counts[pair] == 0
    }

    fn pair(&self, vm: u32, host: u32) -> usize {
        host as usize * self.size.tenants as usize + (vm % self.size.tenants) as usize
    }

    /// The most hypervisors that a VM may be on.
    pub(crate) fn places(&self) -> u32 {
        let most = self.places.as_ref().and_then(|places| places.iter().map(Vec::len).max());
        most.map_or(self.size.hosts, |most| u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// The route to a VM on a hypervisor. If next hops are not shared, there is a route for each hypervisor of the VM's
    /// tenant, not for all: so a run of many hypervisors with few tenants each needs little memory.
    pub(crate) fn route(&self, plan: &Plan, vm: u32, host: u32) -> u32 {
        let place = match &self.places {
            Some(places) if !plan.shares_hops() => {
                let places = &places[(vm % self.size.tenants) as usize];
                let place = places.binary_search(&host).unwrap_or(0);
                u32::try_from(place).unwrap_or(0)
            }
            _ => host,
        };
        plan.route(vm, place)
    }

    /// The routes that each hypervisor should hold, then those of a session that is subscribed to all tenants' VNIs
    /// and announces nothing.
    pub(crate) fn views(&self, plan: &Plan) -> Vec<RouteSet> {
        let mut views = vec![RouteSet::new(plan.routes); self.size.hosts as usize + 1];
        for vm in &self.order[..self.running] {
            let at = self.host[*vm as usize];
            let route = self.route(plan, *vm, at);
            for host in (0..self.size.hosts).filter(|host| *host != at) {
                if self.counts[self.pair(*vm, host)] > 0 {
                    views[host as usize].insert(route);
                }
            }
            views[self.size.hosts as usize].insert(route);
        }
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const SIZE: Size = Size { hosts: 9, tenants: 4, vms: 60, absence: 7, tenants_per_host: 4 };

    #[test]
    fn a_hypervisor_has_vms_of_its_tenants_only() {
        let mut placement = Placement::new(Size { tenants_per_host: 2, ..SIZE }, 3);
        let mut tenants_of = vec![std::collections::BTreeSet::new(); SIZE.hosts as usize];
        for _ in 0..5000 {
            let event = placement.next();
            if let Some(VmEvent::Start { vm, host, .. } | VmEvent::Move { vm, to: host, .. }) =
                event
            {
                tenants_of[host as usize].insert(vm % SIZE.tenants);
            }
        }
        assert!(tenants_of.iter().all(|tenants| tenants.len() == 2), "{tenants_of:?}");
    }

    #[test]
    fn every_place_of_a_vm_is_a_route() {
        let placement = Placement::new(Size { tenants_per_host: 2, ..SIZE }, 3);
        let places = placement.places();
        assert!((1..=5).contains(&places), "4 tenants on 9 hypervisors, 2 each: {places}");
        for shares_hops in [false, true] {
            let variants = if shares_hops { SIZE.hosts } else { places };
            let plan = Plan::movable(SIZE.vms, SIZE.tenants, variants, shares_hops).unwrap();
            let mut seen = std::collections::BTreeSet::new();
            for vm in 0..SIZE.vms {
                let places = &placement.places.as_ref().unwrap()[(vm % SIZE.tenants) as usize];
                for host in places {
                    let route = placement.route(&plan, vm, *host);
                    assert!(route < plan.routes && seen.insert(route));
                    assert_eq!(plan.vni_of(route), vm % SIZE.tenants);
                }
            }
        }
    }

    #[test]
    fn a_seed_means_the_same_run() {
        let run = |seed| {
            let mut placement = Placement::new(SIZE, seed);
            (0..500).map(|_| placement.next()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    /// Follows the events alone and arrives at the same views.
    #[test]
    fn views_follow_from_events() {
        let plan = Plan::movable(SIZE.vms, SIZE.tenants, SIZE.hosts, true).unwrap();
        let mut placement = Placement::new(SIZE, 3);
        let mut at = HashMap::new();
        let mut subscribed = HashMap::new();
        let (mut moves, mut returns) = (0, 0);
        for number in 0..5000u64 {
            let Some(event) = placement.next() else { continue };
            let (vm, from, to) = match event {
                VmEvent::Start { vm, host, first } => (vm, None, Some((host, first))),
                VmEvent::Stop { vm, host, last } => (vm, Some((host, last)), None),
                VmEvent::Move { vm, from, to, first, last } => {
                    moves += 1;
                    (vm, Some((from, last)), Some((to, first)))
                }
            };
            let tenant = vm % SIZE.tenants;
            assert_eq!(at.remove(&vm), from.map(|(host, _)| host));
            if let Some((host, first)) = to {
                at.insert(vm, host);
                let since = subscribed.entry((host, tenant)).or_insert((false, None));
                assert_eq!(first, !since.0);
                if let (true, Some(left)) = (first, since.1) {
                    assert!(number - left >= SIZE.absence);
                    returns += 1;
                }
                since.0 = true;
            }
            if let Some((host, true)) = from {
                subscribed.insert((host, tenant), (false, Some(number)));
            }
        }
        assert!(
            moves > 1000 && returns > 10 && at.len() > 15 && at.len() < 45,
            "{moves} {returns}"
        );
        let views = placement.views(&plan);
        for host in 0..SIZE.hosts {
            let seen = at.iter().filter(|(vm, at)| {
                **at != host && subscribed.get(&(host, *vm % SIZE.tenants)).is_some_and(|s| s.0)
            });
            let view = RouteSet::of(plan.routes, seen.map(|(vm, at)| plan.route(*vm, *at)));
            assert_eq!(views[host as usize], view);
        }
        let all = RouteSet::of(plan.routes, at.iter().map(|(vm, at)| plan.route(*vm, *at)));
        assert_eq!(views[SIZE.hosts as usize], all);
    }
}
