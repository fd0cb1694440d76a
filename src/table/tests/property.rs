//! Any sequence of operations, any bounds: every message exact, every view what the model says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::harness::Table;
use crate::ids::Moment;
use crate::table::{Bounds, Outcome};

#[derive(Debug, Clone)]
enum Op {
    Announce(u64, u8, u16),
    Withdraw(u64, u8, u16),
    Join(u64),
    Leave(u64),
    SlowDown(u64),
    Pull(u64, usize),
    Flush,
    Work(usize),
    Trim,
    Wait,
}

/// Four clients and two servers.
fn peer() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![1, 2, 3, 4, 1001, 1002])
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (peer(), 0..6u8, 0..3u16).prop_map(|(p, d, h)| Op::Announce(p, d, h)),
        8 => (peer(), 0..6u8, 0..3u16).prop_map(|(p, d, h)| Op::Withdraw(p, d, h)),
        3 => peer().prop_map(Op::Join),
        1 => peer().prop_map(Op::Leave),
        2 => peer().prop_map(Op::SlowDown),
        6 => (peer(), prop::sample::select(vec![1, 50, 120, 4096])).prop_map(|(p, l)| Op::Pull(p, l)),
        4 => Just(Op::Flush),
        2 => (1..4usize).prop_map(Op::Work),
        2 => Just(Op::Trim),
        1 => Just(Op::Wait),
    ]
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let size = || prop::sample::select(vec![1usize, 2, 3, 8, 1000]);
    (size(), size(), size(), size(), size()).prop_map(|(seal, trim, places, entries, cached)| {
        Bounds {
            seal_at: seal as u64,
            trim_at: trim,
            chunk_places: u32::try_from(places).unwrap_or(1),
            chunk_entries: entries as u64,
            cached_chunks: cached,
            ..Bounds::default()
        }
    })
}

fn prefix(dest: u8) -> String {
    match dest {
        0 => "0.0.0.0/0".into(),
        1 => "::/0".into(),
        other => format!("10.0.0.{other}/24"),
    }
}

/// Routes and who announces each.
type Model = BTreeMap<String, BTreeSet<u64>>;

fn owed(model: &Model, peer: u64) -> BTreeSet<String> {
    let is_owed = |by: &BTreeSet<u64>| by.iter().any(|a| *a != peer && (peer < 1000 || *a < 1000));
    model.iter().filter(|(_, by)| is_owed(by)).map(|(route, _)| route.clone()).collect()
}

fn forget(model: &mut Model, peer: u64) {
    for by in model.values_mut() {
        by.remove(&peer);
    }
}

fn step(table: &mut Table, model: &mut Model, op: &Op) {
    match *op {
        Op::Announce(peer, dest, hop) => {
            let is_new = model.entry(format!("{} {hop}", prefix(dest))).or_default().insert(peer);
            let outcome = table.announce(peer, &prefix(dest), hop);
            assert_eq!(outcome == Outcome::Added, is_new);
        }
        Op::Withdraw(peer, dest, hop) => {
            let by = model.entry(format!("{} {hop}", prefix(dest))).or_default();
            let outcome = table.withdraw(peer, &prefix(dest), hop);
            assert_eq!(outcome == Outcome::Removed, by.remove(&peer));
        }
        Op::Join(peer) if !table.subscribers().contains(&peer) => table.join(peer),
        Op::Leave(peer) => {
            forget(model, peer);
            table.leave(peer);
        }
        Op::SlowDown(peer) => table.slow_down(peer),
        Op::Pull(peer, limit) if table.subscribers().contains(&peer) => {
            table.pull(peer, limit);
        }
        Op::Flush => table.flush(),
        Op::Work(budget) => {
            table.vnet.work(budget);
        }
        Op::Trim => assert_eq!(table.vnet.trim(false), None),
        Op::Wait => {
            table.now = Moment(table.now.0 + 2_000_000);
            table.vnet.expire(table.now);
        }
        Op::Join(_) | Op::Pull(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn views_are_exact(bounds in bounds(), ops in vec(op(), 1..150)) {
        let mut table = Table::with(bounds);
        let mut model = Model::new();
        for op in &ops {
            step(&mut table, &mut model, op);
        }
        table.vnet.work(usize::MAX);
        table.flush();
        for peer in table.subscribers() {
            table.catch_up(peer);
        }
        table.flush();
        for peer in table.subscribers() {
            let reader = table.reader(peer);
            prop_assert_eq!(&reader.view, &owed(&model, peer), "peer {}", peer);
            prop_assert!(reader.ended && reader.is_in_sync());
        }
        for peer in [1, 2, 3, 4, 1001, 1002] {
            table.leave(peer);
        }
        table.vnet.work(usize::MAX);
        table.flush();
        table.vnet.expire(Moment(table.now.0 + 10_000_000));
        prop_assert_eq!(table.vnet.trim(true), None);
        prop_assert_eq!(table.vnet.held(), (0, 0));
        prop_assert!(table.vnet.is_empty() && !table.vnet.lingers());
    }
}
