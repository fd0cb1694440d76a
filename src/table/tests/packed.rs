//! VNIs that are packed and unpacked.

use std::sync::Arc;

use super::harness::Table;
use crate::ids::{Moment, PeerId, ShardId};
use crate::table::packed::Packed;
use crate::table::{RouteFilter, TableBounds};

const A: u64 = 1;
const B: u64 = 2;
/// A server.
const S: u64 = 1001;

/// Lets all lingering work finish.
fn rest(table: &mut Table) {
    table.flush();
    table.now = Moment(table.now.0 + 2_000_000);
    table.vnet.expire(table.now);
    table.trim();
}

fn shown(table: &Table) -> Vec<String> {
    let list = table.vnet.list(table.now, &RouteFilter::default(), 0, 100, 100);
    let mut rows: Vec<_> = list.rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[test]
fn a_packed_vni_loses_nothing() {
    let mut table = Table::new();
    table.subscribe(B);
    table.subscribe(S);
    for (second, (peer, prefix, hop)) in (1..).zip([
        (A, "10.0.0.0/8", 1),
        (B, "10.0.0.0/8", 1),
        (S, "10.0.0.0/8", 2),
        (A, "::/0", 3),
        (S, "2001:db8::/32", 4),
        (A, "2001:db8::/32", 4),
    ]) {
        table.now = Moment(second * 10_000_000);
        table.vnet.clock = table.now;
        table.announce(peer, prefix, hop);
        table.flush();
    }
    rest(&mut table);
    let before = shown(&table);
    assert_eq!(before.len(), 4);
    assert!(table.repack());
    assert_eq!(shown(&table), before, "with the ages and the announcers' order");
    for peer in [A, B, S] {
        let routes = table.vnet.part(PeerId(peer)).expect("a member").routes;
        assert_eq!(routes, if peer == A { 3 } else { 2 } - u64::from(peer == B));
    }
    // Changes go on from there.
    table.got(B);
    table.withdraw(A, "10.0.0.0/8", 1);
    table.flush();
    assert_eq!(table.got(B), ["-10.0.0.0/8 1"], "it is the only announcer now");
    table.leave(S);
    table.vnet.work(usize::MAX);
    table.flush();
    assert_eq!(table.got(B), ["-10.0.0.0/8 2"]);
    table.leave(A);
    table.leave(B);
    table.vnet.work(usize::MAX);
    rest(&mut table);
    assert!(table.vnet.is_empty() && !table.vnet.lingers());
}

#[test]
fn what_is_under_way_is_not_packed() {
    let mut table = Table::new();
    table.subscribe(B);
    rest(&mut table);
    assert!(table.repack());
    table.join(A);
    rest(&mut table);
    assert!(!table.repack(), "a member is behind");
    table.catch_up(A);
    assert!(table.repack(), "of an empty VNI no chunk is remembered");
    table.announce(A, "10.0.0.0/8", 1);
    table.vnet.seal();
    let held: Vec<_> = table.vnet.take_sealed();
    rest(&mut table);
    assert!(!table.repack(), "a batch is in somebody's queue");
    assert_eq!(Arc::strong_count(&held[0].1), 1);
    assert_eq!(table.vnet.fell_behind(PeerId(B), held[0].1.start), None);
    drop(held);
    table.catch_up(B);
    assert_eq!(table.reader(B).view.len(), 1);
    rest(&mut table);
    assert!(table.repack());
    table.subscribe(9);
    assert!(!table.repack(), "a chunk is remembered");
    rest(&mut table);
    assert!(table.repack());
    table.leave(A);
    rest(&mut table);
    assert!(!table.repack(), "routes of a member are being withdrawn");
}

#[test]
fn large_vnis_stay_as_they_are() {
    let mut table = Table::new();
    for i in 0..17 {
        rest(&mut table);
        assert!(table.repack());
        table.announce(A, &format!("10.0.0.{i}/32"), 1);
    }
    rest(&mut table);
    assert!(!table.repack());
    let mut table = Table::new();
    for peer in 0..17 {
        rest(&mut table);
        assert!(table.repack());
        table.subscribe(peer);
    }
    rest(&mut table);
    assert!(!table.repack());
}

#[test]
fn a_packed_vni_is_small() {
    assert!(size_of::<crate::table::Table>() <= 96, "{}", size_of::<crate::table::Table>());
    assert!(size_of::<Packed>() <= 72, "{}", size_of::<Packed>());
    let mut table = Table::with(TableBounds::default());
    table.subscribe(B);
    rest(&mut table);
    let packed = Packed::of(&mut table.vnet).expect("at rest");
    assert_eq!(packed.subscribers(0).rows.len(), 1);
    assert_eq!(packed.info(table.vnet.vni, ShardId(0)).subscribers, 1);
}
