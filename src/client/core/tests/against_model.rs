//! Any order of events: every reader's picture equals a naive model's.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::WatchId;
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Subscribe(u32),
    Unsubscribe(u32),
    Announce(Route),
    Withdraw(Route),
    Connect(ServerSlot),
    End(ServerSlot),
    Add(ServerSlot, Route),
    Remove(ServerSlot, Route),
    /// The dataplane is to give a VNI back.
    Withhold(u32),
    HandOver(u32),
    /// Takes at most this many changes or messages.
    Take(usize),
}

fn any_route() -> impl Strategy<Value = Route> {
    (1..3_u32, 1..3_u8, 1..4_u8, any::<bool>()).prop_map(|(vni, net, host, plain)| {
        if plain { route(vni, net, host) } else { target(vni, net, host) }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let slot = || prop_oneof![Just(A), Just(B)];
    prop_oneof![
        1 => (1..3_u32).prop_map(Step::Subscribe),
        1 => (1..3_u32).prop_map(Step::Unsubscribe),
        2 => any_route().prop_map(Step::Announce),
        2 => any_route().prop_map(Step::Withdraw),
        2 => slot().prop_map(Step::Connect),
        1 => slot().prop_map(Step::End),
        8 => (slot(), any_route()).prop_map(|(slot, route)| Step::Add(slot, route)),
        4 => (slot(), any_route()).prop_map(|(slot, route)| Step::Remove(slot, route)),
        1 => (1..3_u32).prop_map(Step::Withhold),
        1 => (1..3_u32).prop_map(Step::HandOver),
        3 => (1..4_usize).prop_map(Step::Take),
    ]
}

/// A model of a server that rejects senseless messages.
#[derive(Default)]
struct Server {
    subscribed: BTreeSet<Vni>,
    announced: Plane,
    /// Routes announced to the server since it was subscribed to.
    routes: BTreeSet<Route>,
}

impl Server {
    fn receive(&mut self, message: &Message) {
        match message {
            Message::Subscribe(vni) => assert!(self.subscribed.insert(*vni)),
            Message::Unsubscribe(vni) => {
                assert!(self.subscribed.remove(vni));
                self.announced.routes.retain(|route| route.vni != *vni);
                self.routes.retain(|route| route.vni != *vni);
            }
            Message::Update(update) => self.announced.apply(&[*update]),
            other => panic!("{other:?} for a server"),
        }
    }
}

#[derive(Default)]
struct World {
    servers: BTreeMap<ServerSlot, Server>,
    wanted: BTreeSet<Vni>,
    announced: BTreeSet<Route>,
    plane: Plane,
    watch: Plane,
    now: u64,
}

impl World {
    fn step(&mut self, leaf: &mut Leaf, step: Step) {
        self.now += 1;
        let now = at(self.now);
        leaf.tick(now);
        match step {
            Step::Subscribe(vni) => {
                assert_eq!(leaf.subscribe(now, Vni(vni)), self.wanted.insert(Vni(vni)));
            }
            Step::Unsubscribe(vni) => {
                let vni = Vni(vni);
                assert_eq!(leaf.unsubscribe(vni), self.wanted.remove(&vni));
                for server in self.servers.values_mut() {
                    server.routes.retain(|route| route.vni != vni);
                }
            }
            Step::Announce(route) => {
                assert_eq!(leaf.announce(route), self.announced.insert(route));
            }
            Step::Withdraw(route) => {
                assert_eq!(leaf.withdraw(route), self.announced.remove(&route));
            }
            Step::Connect(slot) => {
                self.servers.entry(slot).or_insert_with(|| {
                    leaf.established(now, slot, true, LONG);
                    Server::default()
                });
            }
            Step::End(slot) => {
                if self.servers.remove(&slot).is_some() {
                    leaf.ended(now, slot);
                }
            }
            // Updates of a VNI without a subscription, or with an UNSUBSCRIBE under way, do not count.
            Step::Add(slot, route) => {
                let Some(server) = self.servers.get_mut(&slot) else { return };
                if server.subscribed.contains(&route.vni) && !leaf_waits(leaf, slot, route.vni) {
                    server.routes.insert(route);
                    add(leaf, now, slot, &[route]);
                }
            }
            Step::Remove(slot, route) => {
                let Some(server) = self.servers.get_mut(&slot) else { return };
                server.routes.remove(&route);
                remove(leaf, now, slot, &[route]);
            }
            Step::Withhold(vni) => leaf.withhold(Vni(vni)),
            Step::HandOver(vni) => leaf.hand_over(Vni(vni)),
            Step::Take(max) => self.take(leaf, max),
        }
    }

    fn take(&mut self, leaf: &mut Leaf, max: usize) {
        for (slot, server) in &mut self.servers {
            for message in leaf.take_messages(at(self.now), *slot, max) {
                server.receive(&message);
            }
        }
        self.plane.apply(&leaf.take_for_dataplane(max).0);
        self.watch.apply(&leaf.feed(WatchId(1)).unwrap().take(max));
    }

    fn expect(&self, leaf: &Leaf) {
        let known: BTreeSet<_> =
            self.servers.values().flat_map(|server| server.routes.iter().copied()).collect();
        let listed: BTreeSet<_> = self.wanted.iter().flat_map(|vni| leaf.routes(*vni)).collect();
        assert_eq!(listed, known);
        assert_eq!(self.watch.routes, known);
        let own: BTreeSet<_> = self.announced.iter().map(|r| (r.vni, r.destination)).collect();
        let visible = known.into_iter().filter(|route| {
            route.next_hop.kind() != NextHopType::Standard
                || !own.contains(&(route.vni, route.destination))
        });
        assert_eq!(self.plane.routes, visible.collect());
        for server in self.servers.values() {
            assert_eq!(server.subscribed, self.wanted);
            assert_eq!(server.announced.routes, self.announced);
        }
    }
}

/// Whether an UNSUBSCRIBE of `vni` waits to be sent to `slot`.
fn leaf_waits(leaf: &Leaf, slot: ServerSlot, vni: Vni) -> bool {
    !leaf.counts(slot, vni)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_reader_ends_with_what_there_is(steps in prop::collection::vec(any_step(), 1..80)) {
        let mut leaf = Leaf::new(CoreConfig { stale_time: Duration::ZERO, routes_per_peer: 1000, limits: RouteLimits::default() });
        leaf.watch(WatchId(1), None);
        let mut world = World::default();
        for step in steps {
            world.step(&mut leaf, step);
        }
        for vni in 1..3 {
            leaf.hand_over(Vni(vni));
        }
        // In this time everything that waits for time or for room gets it.
        for _ in 0..100 {
            world.now += 1;
            leaf.tick(at(world.now));
            world.take(&mut leaf, 5);
        }
        world.expect(&leaf);
    }
}
