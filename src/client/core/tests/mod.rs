//! Scripts over [`Leaf`](super::Leaf): the changes that each reader gets, in every order of events.

mod against_model;
mod hostile;
mod intent;
mod limits;
mod reports;
mod restarts;
mod servers;
mod settling;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{CoreConfig, Leaf, RouteLimits, ServerSlot};
use crate::client::Route;
use crate::ids::Moment;
use crate::wire::{Action, Destination, Message, NextHop, NextHopType, Update, Vni};

pub(super) const STALE: Duration = Duration::from_secs(120);
pub(super) const A: ServerSlot = ServerSlot(0);
pub(super) const B: ServerSlot = ServerSlot(63);

pub(super) fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

pub(super) fn leaf() -> Leaf {
    Leaf::new(CoreConfig {
        stale_time: STALE,
        routes_per_peer: 1000,
        limits: RouteLimits::default(),
    })
}

pub(super) fn route(vni: u32, net: u8, host: u8) -> Route {
    let destination = Destination::new([10, net, 0, 0].into(), 16).unwrap();
    Route { vni: Vni(vni), destination, next_hop: NextHop::standard([192, 0, 2, host].into()) }
}

pub(super) fn target(vni: u32, net: u8, host: u8) -> Route {
    let kind = NextHopType::LoadBalancerTarget;
    let next_hop = NextHop::new([192, 0, 2, host].into(), 0, kind, 0, 0).unwrap();
    Route { next_hop, ..route(vni, net, host) }
}

/// How long most servers here have had sessions.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// A session with `slot` is established and all its SUBSCRIBEs are written.
pub(super) fn connect(leaf: &mut Leaf, now: Moment, slot: ServerSlot) {
    connect_to(leaf, now, slot, LONG);
}

/// The same with a server that has had sessions for `serving`.
pub(super) fn connect_to(leaf: &mut Leaf, now: Moment, slot: ServerSlot, serving: Duration) {
    leaf.established(now, slot, true, serving);
    leaf.take_messages(now, slot, usize::MAX);
}

/// `slot` announces all of `routes`.
pub(super) fn add(leaf: &mut Leaf, now: Moment, slot: ServerSlot, routes: &[Route]) {
    let updates: Vec<_> = routes.iter().map(|route| route.update(Action::Add)).collect();
    leaf.updates(now, slot, &updates).unwrap();
}

pub(super) fn remove(leaf: &mut Leaf, now: Moment, slot: ServerSlot, routes: &[Route]) {
    let updates: Vec<_> = routes.iter().map(|route| route.update(Action::Remove)).collect();
    leaf.updates(now, slot, &updates).unwrap();
}

/// A dataplane that rejects senseless changes.
#[derive(Default)]
pub(super) struct Plane {
    pub(super) routes: BTreeSet<Route>,
    pub(super) complete: Vec<Vni>,
}

impl Plane {
    /// Takes all pending changes.
    pub(super) fn update(&mut self, leaf: &mut Leaf) -> &Self {
        while leaf.has_for_dataplane() {
            let (changes, complete) = leaf.take_for_dataplane(3);
            self.apply(&changes);
            self.complete.extend(complete);
        }
        self
    }

    pub(super) fn apply(&mut self, changes: &[Update]) {
        for change in changes {
            let route = Route::from(*change);
            let sensible = match change.action {
                Action::Add => self.routes.insert(route),
                Action::Remove => self.routes.remove(&route),
            };
            assert!(sensible, "{change:?} makes no sense");
        }
    }

    #[track_caller]
    pub(super) fn expect(&mut self, leaf: &mut Leaf, routes: &[Route]) {
        let expected: BTreeSet<_> = routes.iter().copied().collect();
        assert_eq!(self.update(leaf).routes, expected);
    }
}

/// Short forms of messages, for comparing.
pub(super) fn names(messages: &[Message]) -> Vec<String> {
    let name = |message: &Message| match message {
        Message::Subscribe(vni) => format!("subscribe {vni}"),
        Message::Unsubscribe(vni) => format!("unsubscribe {vni}"),
        Message::Update(update) => {
            format!("{:?} {}", update.action, Route::from(*update)).to_lowercase()
        }
        other => format!("{other:?}"),
    };
    messages.iter().map(name).collect()
}
