//! Each bound of a table, filled. The journal's are in `catch_up`, next hops' in `views`.

use std::sync::Arc;

use super::harness::{CHUNK, Table};
use crate::table::{Audience, FIRSTS_MAX, NEXT_HOPS_MAX, TableBounds};
use crate::wire::MAX_FRAME;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;

fn announce(table: &mut Table, count: usize) {
    for i in 0..count {
        table.announce(A, &format!("10.{}.{}.0/24", i / 256, i % 256), 1);
    }
}

#[test]
fn a_full_open_batch_is_sealed_at_once() {
    let mut table = Table::new();
    table.subscribe(B);
    announce(&mut table, 2047);
    assert!(table.vnet.take_sealed().is_empty());
    announce(&mut table, 5000);
    let sealed = table.vnet.take_sealed();
    assert_eq!(sealed.len(), 2);
    for (audience, batch) in sealed {
        assert_eq!((audience, batch.tally.adds), (Audience::Clients, 2048));
        assert!(batch.len() < 128 * 1024, "{} bytes", batch.len());
    }
}

#[test]
fn a_dump_begins_with_so_many_default_routes_and_misses_none() {
    let mut table = Table::new();
    let count = FIRSTS_MAX + 20;
    announce(&mut table, 10);
    for i in 0..count {
        // Bits below the length tell these routes apart.
        table.announce(A, &format!("10.0.0.{i}/0"), 1);
    }
    table.flush();
    table.join(B);
    table.pull(B, 1);
    let first = table.got(B);
    assert!(first[..FIRSTS_MAX].iter().all(|update| update.contains("/0 ")), "{first:?}");
    assert!(first.len() <= FIRSTS_MAX + 1, "{} at once", first.len());
    table.catch_up(B);
    assert_eq!(table.reader(B).view.len(), count + 10);
}

#[test]
fn a_chunk_looks_at_so_many_places_and_entries() {
    let bounds = TableBounds { chunk_places: 10, chunk_entries: 10, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    announce(&mut table, 100);
    table.flush();
    table.join(B);
    let mut pulls = 0;
    while !table.reader(B).is_in_sync() {
        table.pull(B, CHUNK);
        let got = table.got(B).len();
        assert!(got <= 10, "{got} at once");
        pulls += 1;
    }
    assert!(pulls >= 10, "{pulls} pulls");
    table.slow_down(B);
    for i in 0..100 {
        table.withdraw(A, &format!("10.0.{i}.0/24"), 1);
    }
    table.flush();
    for _ in 0..9 {
        table.pull(B, CHUNK);
        assert_eq!(table.got(B).len(), 10);
        assert!(!table.reader(B).is_in_sync());
    }
    table.catch_up(B);
    assert!(table.reader(B).view.is_empty());
}

#[test]
fn so_many_chunks_are_remembered_and_then_the_oldest_is_forgotten() {
    let mut table = Table::with(TableBounds { cached_chunks: 3, ..TableBounds::default() });
    announce(&mut table, 1000);
    table.flush();
    for peer in [B, C, 4] {
        table.join(peer);
    }
    let mut chunks = Vec::new();
    for _ in 0..5 {
        chunks.extend(table.pull(B, 400).and_then(|chunk| chunk.batch));
    }
    // The first two chunks are forgotten: a subscriber that comes late gets their content encoded again.
    let anew = table.pull(C, 400).and_then(|chunk| chunk.batch).expect("a chunk");
    assert!(!Arc::ptr_eq(&chunks[0], &anew));
    assert_eq!(chunks[0].bytes(), anew.bytes());
    let shared = table.pull(4, 400).and_then(|chunk| chunk.batch).expect("a chunk");
    assert!(Arc::ptr_eq(&anew, &shared));
    assert_eq!(table.vnet.remembered(), 3);
}

/// A destination has the largest allowed number of next hops, and a slow subscriber knows none of them.
#[test]
fn no_chunk_is_above_64_kib_and_one_message() {
    const LIMIT: usize = 64 * 1024;
    const NET: &str = "10.0.0.0/8";
    let mut table = Table::new();
    for hop in 0..4096 {
        table.announce(A, NET, hop);
    }
    table.flush();
    table.subscribe(B);
    table.slow_down(B);
    table.got(B);
    for hop in 0..4096 {
        table.withdraw(A, NET, hop);
        table.announce(A, NET, hop + 5000);
    }
    table.flush();
    let mut chunks = Vec::new();
    while !table.reader(B).is_in_sync() {
        let chunk = table.pull(B, LIMIT).expect("a chunk");
        chunks.push(chunk.batch.map_or(0, |batch| batch.len()));
    }
    assert!(chunks.iter().all(|len| *len <= LIMIT + MAX_FRAME), "{chunks:?}");
    assert!(chunks.iter().filter(|len| **len > LIMIT - MAX_FRAME).count() >= 4, "{chunks:?}");
    let got = table.got(B);
    assert_eq!((got.len(), table.reader(B).view.len()), (8192, 4096));
    assert!(got[..4096].iter().all(|update| update.starts_with('-')), "withdrawals first");
}

#[test]
fn an_answer_shows_so_many_next_hops_of_a_destination() {
    let mut table = Table::with(TableBounds { next_hops: 5000, ..TableBounds::default() });
    for hop in 0..4200 {
        table.announce(A, "10.0.0.0/8", hop);
    }
    table.announce(A, "11.0.0.0/8", 1);
    let found = table.vnet.destinations(0, 10_000, u32::MAX).rows;
    let counts: Vec<_> = found.iter().map(|row| row.next_hops.len()).collect();
    assert_eq!(counts, [NEXT_HOPS_MAX, 1]);
}
