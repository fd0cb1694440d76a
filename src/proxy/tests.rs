use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;

use super::bridge::{Bridge, GRACE, WAITING_MAX};
use crate::client::{Intention, Route};
use crate::ids::link::{EXPORTER, UPSTREAM};
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Rights, Selection};
use crate::shard::{Counted, Delivery, Request};
use crate::table::{Announcement, Origin, Table, TableBasis, TableBounds};
use crate::wire::{Action, Destination, NextHop, Update, Vni};

const VNI: Vni = Vni(7);
const AGENT: PeerId = PeerId(1);
const SHARD: ShardId = ShardId(1);

/// A bridge, and the owner of one VNI.
struct Scene {
    bridge: Bridge,
    table: Table,
    now: Moment,
    /// The intentions that the leaf has been told.
    told: Vec<Intention>,
}

impl Scene {
    fn new() -> Self {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let basis = Arc::new(TableBasis { bounds: TableBounds::default(), hasher });
        let (bridge, table) = (Bridge::new(SHARD), Table::new(VNI, basis));
        Self { bridge, table, now: Moment(0), told: Vec::new() }
    }

    fn wanted(&mut self, is_wanted: bool, is_used: bool) {
        let wanted = Delivery::Wanted { vni: VNI, is_wanted, is_used };
        self.bridge.delivered(self.now, &wanted);
    }

    /// An agent announces or withdraws.
    fn agent(&mut self, action: Action, numbers: std::ops::Range<u32>) {
        let origin = Origin {
            peer: AGENT,
            shard: ShardId(0),
            is_server: false,
            rights: Rights::default(),
            selection: Selection::default(),
        };
        self.update(origin, numbers.map(|number| announcement(action, number)).collect());
    }

    fn update(&mut self, origin: Origin, updates: Vec<Announcement>) {
        let vnet = self.table.open();
        let member = vnet.member(origin);
        vnet.update_all(member, &updates, None);
    }

    /// The owner seals and serves, until nothing more happens; the leaf takes nothing.
    fn turn(&mut self) {
        loop {
            self.table.open().seal();
            for (audience, batch) in self.table.open().take_sealed() {
                self.bridge.delivered(self.now, &Delivery::Batch { audience, batch });
            }
            self.bridge.pull();
            let Some(request) = self.bridge.poll() else { return };
            self.serve(request);
        }
    }

    fn serve(&mut self, request: Request) {
        let vnet = self.table.open();
        match request {
            Request::Subscribe { origin, .. } => {
                let member = vnet.member(origin);
                assert!(vnet.subscribe(member));
            }
            Request::Leave { peer, .. } => drop(vnet.leave(peer)),
            Request::FellBehind { peer, from, .. } => {
                assert!(vnet.fell_behind(peer, from.start).is_none());
            }
            Request::Pull { peer, vni, subscription, .. } => {
                let (_, chunk) = vnet.chunk(peer, 4096, self.now).unwrap();
                let chunk = Delivery::Chunk { peer, vni, subscription, chunk };
                self.bridge.delivered(self.now, &chunk);
            }
            Request::Updates { origin, updates, .. } => self.update(origin, updates),
            other => panic!("{other:?}"),
        }
    }

    /// The leaf takes all intentions.
    fn tell(&mut self) {
        while self.bridge.has_intentions() {
            self.told.extend(self.bridge.take_intentions(100));
            self.bridge.told();
            self.turn();
        }
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.bridge.status().waiting).unwrap()
    }

    /// The routes that the leaf announces after all that it has been told.
    fn announced(&self) -> std::collections::HashSet<Route> {
        let mut announced = std::collections::HashSet::new();
        for intention in &self.told {
            match intention {
                Intention::Announce(route) => assert!(announced.insert(*route), "{route:?} twice"),
                Intention::Withdraw(route) => assert!(announced.remove(route), "{route:?} unknown"),
                Intention::Vacate(_) => announced.clear(),
                Intention::Subscribe(_) | Intention::Unsubscribe(_) => {}
            }
        }
        announced
    }
}

fn announcement(action: Action, number: u32) -> Announcement {
    let destination = Destination::new(number.to_be_bytes().into(), 32).unwrap();
    let next_hop = NextHop::standard(std::net::Ipv6Addr::LOCALHOST.into());
    Announcement { action, destination, next_hop }
}

fn update(action: Action, number: u32) -> Update {
    let Announcement { destination, next_hop, .. } = announcement(action, number);
    Update { action, vni: VNI, destination, next_hop }
}

#[test]
fn what_the_leaf_does_not_take_is_left_in_the_table() {
    let mut scene = Scene::new();
    scene.wanted(true, true);
    scene.agent(Action::Add, 0..1);
    scene.turn();
    scene.tell();
    for round in 0..10 {
        scene.agent(Action::Add, 1..50_000);
        scene.turn();
        // One batch and the requested chunks may come on top.
        assert!(scene.waiting() <= WAITING_MAX + 2048 + 4 * 128, "{}", scene.waiting());
        if round < 9 {
            scene.agent(Action::Remove, 1..50_000);
            scene.turn();
        }
    }
    assert!(scene.bridge.status().fell_behind > 0);
    scene.tell();
    assert_eq!(scene.announced().len(), 50_000);
    assert_eq!(scene.bridge.status().routes_announced, 50_000);
    // Most routes that came and went meanwhile were never told.
    assert!(scene.told.len() < 200_000, "{}", scene.told.len());
    assert!(scene.bridge.is_flushed());
}

#[test]
fn a_vni_is_given_up_some_time_after_its_last_agent() {
    let mut scene = Scene::new();
    scene.wanted(true, true);
    scene.agent(Action::Add, 0..10);
    scene.turn();
    scene.tell();
    assert_eq!((scene.told[0], scene.announced().len()), (Intention::Subscribe(VNI), 10));
    // A restart of the agent ends its announcements at once, but not the subscription.
    scene.table.open().leave(AGENT);
    scene.wanted(false, false);
    scene.table.open().work(usize::MAX);
    scene.turn();
    scene.tell();
    assert_eq!((scene.told.last(), scene.announced().len()), (Some(&Intention::Vacate(VNI)), 0));
    scene.now = scene.now + GRACE.saturating_sub(Duration::from_millis(1));
    scene.bridge.tick(scene.now);
    scene.wanted(true, true);
    scene.agent(Action::Add, 0..10);
    scene.turn();
    scene.tell();
    assert_eq!(scene.announced().len(), 10);
    assert_eq!(scene.told.iter().filter(|it| **it == Intention::Subscribe(VNI)).count(), 1);
    scene.now = scene.now + GRACE;
    scene.bridge.tick(scene.now);
    assert_eq!(scene.bridge.status().vnis_subscribed, 1);
    // The agent stays away.
    scene.wanted(false, false);
    scene.now = scene.now + GRACE;
    scene.bridge.tick(scene.now);
    scene.tell();
    assert_eq!(scene.told.last(), Some(&Intention::Unsubscribe(VNI)));
    assert_eq!(scene.bridge.status().vnis_subscribed, 0);
}

#[test]
fn what_reflectors_have_is_not_told_to_them() {
    let mut scene = Scene::new();
    scene.wanted(true, true);
    let learned: Vec<_> = (0..100).map(|number| update(Action::Add, number)).collect();
    scene.bridge.learned(scene.now, &learned);
    scene.agent(Action::Add, 50..150);
    scene.turn();
    scene.tell();
    assert_eq!(scene.announced().len(), 100);
    assert_eq!(scene.table.info(ShardId(0)).routes, 150);
    scene.bridge.learned(scene.now, &[update(Action::Remove, 50)]);
    scene.turn();
    scene.tell();
    assert_eq!(scene.announced().len(), 100);
    // The owner counts the reflectors' routes.
    let counted = Counted::change(VNI, 99, 99);
    let counted = Delivery::Announced { peer: UPSTREAM, counted };
    scene.bridge.delivered(scene.now, &counted);
    assert_eq!(scene.bridge.status().routes_learned, 99);
}

#[test]
fn answers_to_an_earlier_subscription_say_nothing() {
    let mut scene = Scene::new();
    scene.wanted(true, true);
    scene.bridge.pull();
    let requests: Vec<_> = std::iter::from_fn(|| scene.bridge.poll()).collect();
    let [Request::Subscribe { .. }, Request::Pull { subscription, .. }] = requests[..] else {
        panic!("{requests:?}")
    };
    scene.wanted(false, false);
    scene.wanted(true, true);
    let mut other = Scene::new();
    other.agent(Action::Add, 0..10);
    let origin = Origin {
        peer: EXPORTER,
        shard: SHARD,
        is_server: true,
        rights: Rights::default(),
        selection: Selection::default(),
    };
    let vnet = other.table.open();
    let member = vnet.member(origin);
    vnet.subscribe(member);
    let (_, chunk) = vnet.chunk(EXPORTER, 4096, other.now).unwrap();
    let late = Delivery::Chunk { peer: EXPORTER, vni: VNI, subscription, chunk };
    scene.bridge.delivered(scene.now, &late);
    assert_eq!(scene.bridge.status().routes_announced, 0);
}
