//! Peers that are gone without a word: their routes stay, and are theirs when they come back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::Table;
use super::policing::{only, review, strict};
use crate::ids::{Kin, Moment, PeerId};
use crate::table::{Hold, TableBounds};

/// Peers, and the same peers in their next session.
const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const AGAIN: u64 = 10_000;

/// How long routes are kept, in microseconds.
const HOLD: u64 = 10_000_000;

fn prefix(number: usize) -> String {
    format!("10.0.{number}.0/24")
}

fn until(table: &Table) -> Moment {
    Moment(table.now.0 + HOLD)
}

/// Ends the time of all peers that are gone.
fn expire(table: &mut Table) {
    table.now = Moment(table.now.0 + HOLD);
    table.vnet.expire_stale(table.now);
    while table.vnet.has_work() {
        table.vnet.work(1);
    }
    table.flush();
}

/// A announces three routes, B has them, and A is gone.
fn scene() -> Table {
    let mut table = Table::new();
    table.subscribe(A);
    table.subscribe(B);
    for number in 0..3 {
        table.announce(A, &prefix(number), 1);
    }
    table.flush();
    assert_eq!(table.got(B).len(), 3);
    let until = until(&table);
    table.vanish(A, until);
    table.flush();
    assert_eq!((table.got(B), table.vnet.stale_routes()), (vec![], 3));
    table
}

#[test]
fn who_comes_back_and_announces_the_same_is_not_noticed() {
    let mut table = scene();
    let again = A + AGAIN;
    assert_eq!(table.come_back(again), 3);
    table.subscribe(again);
    assert_eq!(table.got(again), Vec::<String>::new(), "its own routes are not sent to it");
    for number in 0..3 {
        table.announce(again, &prefix(number), 1);
    }
    assert_eq!(table.vnet.stale_routes(), 0);
    expire(&mut table);
    assert_eq!((table.got(B), table.got(again)), (vec![], vec![]));
    // Now everything is as if the peer had never been gone.
    table.withdraw(again, &prefix(0), 1);
    table.flush();
    assert_eq!(table.got(B), [format!("-{} 1", prefix(0))]);
    assert!(!table.vnet.has_stale());
}

#[test]
fn a_remembered_dump_is_not_for_who_has_come_back() {
    let mut table = scene();
    table.subscribe(C);
    assert_eq!(table.got(C).len(), 3);
    let again = A + AGAIN;
    table.come_back(again);
    table.subscribe(again);
    assert_eq!(table.got(again), Vec::<String>::new());
}

#[test]
fn what_is_not_announced_again_goes_when_the_time_is_over() {
    let mut table = scene();
    let again = A + AGAIN;
    table.come_back(again);
    table.announce(again, &prefix(1), 1);
    table.announce(again, &prefix(7), 1);
    table.flush();
    assert_eq!(table.got(B), [format!("+{} 1", prefix(7))]);
    expire(&mut table);
    assert_eq!(table.got(B), [format!("-{} 1", prefix(0)), format!("-{} 1", prefix(2))]);
    let told = table.vnet.take_lost_stale();
    assert_eq!(
        told.iter().map(|(of, lost, now)| (of.peer.0, *lost, *now)).collect::<Vec<_>>(),
        [(again, 2, 2)]
    );
}

#[test]
fn who_stays_away_loses_everything_when_the_time_is_over() {
    let mut table = scene();
    expire(&mut table);
    assert_eq!(table.got(B).len(), 3);
    assert!(!table.vnet.has_stale());
    assert_eq!(table.come_back(A + AGAIN), 0);
}

#[test]
fn others_get_stale_routes_and_cannot_take_them_over() {
    let mut table = scene();
    assert_eq!(table.come_back(C + AGAIN), 0);
    table.subscribe(C);
    assert_eq!(table.reader(C).view.len(), 3);
    // A second announcer counts, and remains when the first is gone.
    table.announce(C, &prefix(0), 1);
    expire(&mut table);
    table.flush();
    assert_eq!(table.reader(B).view, BTreeSet::from([format!("{} 1", prefix(0))]));
    assert_eq!(table.reader(C).view, BTreeSet::new());
}

#[test]
fn a_fresh_next_hop_takes_the_place_of_a_stale_one() {
    let mut table = scene();
    table.announce(C, &prefix(0), 2);
    table.flush();
    assert_eq!(table.got(B), [format!("-{} 1", prefix(0)), format!("+{} 2", prefix(0))]);
    let again = A + AGAIN;
    assert_eq!(table.come_back(again), 2);
    table.announce(again, &prefix(1), 2);
    table.flush();
    assert_eq!(table.got(B), [format!("-{} 1", prefix(1)), format!("+{} 2", prefix(1))]);
}

#[test]
fn a_next_hop_that_a_new_policy_lets_in_takes_the_place_of_a_stale_one() {
    let mut table = scene();
    let (before, rights) = strict();
    table.enter(C, rights);
    for number in 0..2 {
        table.announce_under(&before, C, &prefix(number), 2);
    }
    let again = A + AGAIN;
    assert_eq!(table.come_back(again), 3);
    table.announce(again, &prefix(1), 1);
    table.flush();
    assert_eq!((table.got(B), table.vnet.filtered()), (vec![], 2));
    let (policy, rights) = only("9", &before);
    table.vnet.classify(PeerId(C), rights);
    review(&mut table, &policy);
    table.flush();
    let [lost, stays] = [prefix(0), prefix(1)];
    let mut got = table.got(B);
    got.sort();
    assert_eq!(got, [format!("+{lost} 2"), format!("+{stays} 2"), format!("-{lost} 1")]);
    let told = table.vnet.take_lost_stale();
    assert_eq!(
        told.iter().map(|(of, lost, now)| (of.peer.0, *lost, *now)).collect::<Vec<_>>(),
        [(again, 1, 2)]
    );
}

#[test]
fn stale_routes_that_a_new_policy_refuses_are_gone_until_they_are_announced() {
    let mut table = scene();
    let again = A + AGAIN;
    table.come_back(again);
    table.announce(again, &prefix(0), 1);
    let (policy, rights) = strict();
    table.vnet.classify(PeerId(again), rights);
    review(&mut table, &policy);
    assert_eq!((table.vnet.routes(), table.vnet.filtered(), table.vnet.stale_routes()), (0, 1, 0));
    let told = table.vnet.take_lost_stale();
    assert_eq!(
        told.iter().map(|(of, lost, now)| (of.peer.0, *lost, *now)).collect::<Vec<_>>(),
        [(again, 2, 1)]
    );
    table.announce_under(&policy, again, &prefix(1), 1);
    assert_eq!((table.vnet.routes(), table.vnet.filtered()), (0, 2));
}

#[test]
fn who_is_gone_twice_has_no_more_time_than_before() {
    let mut table = scene();
    let (first, second) = (A + AGAIN, A + 2 * AGAIN);
    table.come_back(first);
    table.announce(first, &prefix(0), 1);
    table.now = Moment(HOLD / 2);
    let until = until(&table);
    table.vanish(first, until);
    assert_eq!(table.vnet.stale_until(), Some(Moment(HOLD)));
    assert_eq!(table.come_back(second), 3);
    table.announce(second, &prefix(2), 1);
    table.port();
    table.now = Moment(0);
    expire(&mut table);
    table.catch_up(B);
    assert_eq!(table.reader(B).view, BTreeSet::from([format!("{} 1", prefix(2))]));
}

#[test]
fn a_source_cannot_leave_routes_behind_under_ever_new_names() {
    let mut table = Table::new();
    table.subscribe(B);
    let until = until(&table);
    for session in 0..20 {
        let peer = 100 + session;
        table.announce(peer, &prefix(usize::try_from(session).unwrap()), 1);
        let kin = Kin::from_numbers([7, session]);
        table.vanish_as(peer, Hold { kin, until });
    }
    table.vnet.work(usize::MAX);
    assert_eq!((table.vnet.stale_routes(), table.vnet.routes()), (8, 8));
}

/// A random event.
#[derive(Clone, Copy, Debug)]
enum Op {
    Announce(u64, usize, u16),
    Withdraw(u64, usize, u16),
    Join(u64),
    Leave(u64),
    Vanish(u64),
    Expire,
    Flush,
    Port,
}

fn op() -> impl Strategy<Value = Op> {
    let peer = prop_oneof![Just(A), Just(B), Just(C), Just(1001)];
    (0..16_u8, peer, 0..3_usize, 1..4_u16).prop_map(|(kind, peer, number, hop)| match kind {
        0..6 => Op::Announce(peer, number, hop),
        6..8 => Op::Withdraw(peer, number, hop),
        8..10 => Op::Join(peer),
        10 => Op::Leave(peer),
        11..13 => Op::Vanish(peer),
        13 => Op::Expire,
        14 => Op::Flush,
        _ => Op::Port,
    })
}

type Route = (usize, u16);

/// The rules, word for word: which session announces which route, and which of these are stale.
#[derive(Default)]
struct Model {
    routes: BTreeMap<u64, BTreeSet<Route>>,
    stale: BTreeMap<u64, BTreeSet<Route>>,
    /// The present session of each peer, by its first session.
    sessions: BTreeMap<u64, u64>,
}

impl Model {
    fn session(&self, peer: u64) -> u64 {
        self.sessions.get(&peer).copied().unwrap_or(peer)
    }

    /// A peer takes part.
    fn meet(&mut self, table: &mut Table, peer: u64) -> u64 {
        let session = self.session(peer);
        let mut stale = self.stale.iter().filter(|(_, routes)| !routes.is_empty());
        let is_its = |before: u64| before < session && before % AGAIN == peer;
        let kept = stale.find(|(before, _)| is_its(**before)).map(|(before, _)| *before);
        let is_here = self.routes.get(&session).is_some_and(|routes| !routes.is_empty())
            || table.subscribers().contains(&session);
        if !is_here {
            let adopted = table.come_back(session);
            let expected = kept.map_or(0, |before| self.routes[&before].len());
            assert_eq!(adopted as usize, expected, "session {session}");
        }
        if let Some(before) = kept.filter(|_| !is_here) {
            let routes = self.routes.remove(&before).unwrap_or_default();
            self.stale.remove(&before);
            self.stale.insert(session, routes.clone());
            self.routes.insert(session, routes);
        }
        session
    }

    fn announce(&mut self, session: u64, route: Route) {
        let is_new = self.routes.entry(session).or_default().insert(route);
        let was_stale = self.stale.entry(session).or_default().remove(&route);
        if !is_new && !was_stale {
            return;
        }
        let Self { routes, stale, .. } = self;
        for (holder, stale) in stale {
            let gone: Vec<_> =
                stale.iter().filter(|it| it.0 == route.0 && it.1 != route.1).copied().collect();
            for route in gone {
                stale.remove(&route);
                routes.entry(*holder).or_default().remove(&route);
            }
        }
    }

    fn withdraw(&mut self, session: u64, route: Route) {
        self.routes.entry(session).or_default().remove(&route);
        self.stale.entry(session).or_default().remove(&route);
    }

    fn expire(&mut self) {
        for (holder, stale) in std::mem::take(&mut self.stale) {
            self.routes.entry(holder).or_default().retain(|route| !stale.contains(route));
        }
    }

    fn owed(&self, reader: u64) -> BTreeSet<String> {
        let is_server = |peer: u64| peer % AGAIN > 1000;
        let others = self.routes.iter().filter(|(session, _)| {
            **session != reader && !(is_server(reader) && is_server(**session))
        });
        others
            .flat_map(|(_, routes)| routes)
            .map(|(n, hop)| format!("{} {hop}", prefix(*n)))
            .collect()
    }
}

fn step(table: &mut Table, model: &mut Model, op: Op) {
    match op {
        Op::Announce(peer, number, hop) => {
            let session = model.meet(table, peer);
            table.announce(session, &prefix(number), hop);
            model.announce(session, (number, hop));
        }
        Op::Withdraw(peer, number, hop) => {
            let session = model.session(peer);
            if model.routes.get(&session).is_some_and(|routes| !routes.is_empty()) {
                table.withdraw(session, &prefix(number), hop);
                model.withdraw(session, (number, hop));
            }
        }
        Op::Join(peer) if !table.subscribers().contains(&model.session(peer)) => {
            let session = model.meet(table, peer);
            table.join(session);
        }
        Op::Join(_) => {}
        Op::Leave(peer) => {
            let session = model.session(peer);
            table.leave(session);
            model.routes.remove(&session);
            model.stale.remove(&session);
            table.vnet.work(usize::MAX);
        }
        Op::Vanish(peer) => {
            let session = model.session(peer);
            // Routes that an earlier session left, and that this one has not announced, go by themselves.
            let until = until(table);
            table.vanish(session, until);
            let routes = model.routes.get(&session).cloned().unwrap_or_default();
            if !routes.is_empty() {
                model.stale.insert(session, routes);
            }
            table.vnet.work(usize::MAX);
            model.sessions.insert(peer, session + AGAIN);
        }
        Op::Expire => {
            // Some holds have an earlier end: take the last.
            expire(table);
            model.expire();
        }
        Op::Flush => table.flush(),
        Op::Port => table.port(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn views_are_exact_whoever_vanishes(ops in vec(op(), 1..80)) {
        let (mut table, mut model) = (Table::with(TableBounds::default()), Model::default());
        for op in ops {
            step(&mut table, &mut model, op);
        }
        table.flush();
        for peer in table.subscribers() {
            table.catch_up(peer);
        }
        table.flush();
        for peer in table.subscribers() {
            assert_eq!(table.reader(peer).view, model.owed(peer), "session {peer}");
        }
        let stale: usize = model.stale.values().map(BTreeSet::len).sum();
        assert_eq!(table.vnet.stale_routes(), stale as u64);
        expire(&mut table);
        for peer in table.subscribers() {
            table.leave(peer);
        }
        for (session, _) in model.routes {
            table.leave(session);
        }
        table.vnet.work(usize::MAX);
        table.vnet.take_lost_stale();
        table.flush();
        table.vnet.expire(Moment(table.now.0 + 10_000_000));
        table.trim();
        assert!(table.vnet.is_empty() && !table.vnet.lingers() && !table.vnet.has_stale());
    }
}
