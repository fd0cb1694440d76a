//! Dumps and subscribers that are behind.

use std::sync::Arc;

use super::harness::{CHUNK, Table};
use crate::ids::{Moment, PeerId, ShardId};
use crate::table::TableBounds;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const NET: &str = "10.0.0.0/8";

fn prefix(i: usize) -> String {
    format!("10.{}.{}.0/24", i / 256, i % 256)
}

fn fill(table: &mut Table, peer: u64, routes: usize) {
    for i in 0..routes {
        table.announce(peer, &prefix(i), 1);
    }
    table.flush();
}

#[test]
fn a_dump_holds_everything_and_ends_once() {
    let mut table = Table::new();
    fill(&mut table, A, 1000);
    table.subscribe(B);
    assert_eq!(table.reader(B).view.len(), 1000);
    assert!(table.reader(B).ended);
    table.subscribe(A);
    assert!(table.reader(A).view.is_empty(), "nothing but its own");
    assert!(table.reader(A).ended);
}

#[test]
fn default_routes_come_first() {
    let mut table = Table::new();
    fill(&mut table, A, 200);
    table.announce(A, "0.0.0.0/0", 1);
    table.announce(A, "::/0", 1);
    table.join(B);
    table.pull(B, 1);
    let got = table.got(B);
    assert_eq!(got[..2], ["+0.0.0.0/0 1", "+::/0 1"]);
    table.catch_up(B);
    assert_eq!(table.reader(B).view.len(), 202);
}

#[test]
fn default_routes_come_first_even_if_they_are_new() {
    let mut table = Table::new();
    fill(&mut table, A, 200);
    table.subscribe(B);
    table.announce(A, "0.0.0.0/0", 1);
    table.subscribe(C);
    assert_eq!(table.got(C)[0], "+0.0.0.0/0 1");
}

#[test]
fn those_that_join_together_share_their_chunks() {
    let mut table = Table::new();
    fill(&mut table, A, 1000);
    for peer in [B, C] {
        table.join(peer);
    }
    loop {
        let (b, c) = (table.pull(B, CHUNK), table.pull(C, CHUNK));
        let (b, c) = (b.expect("a chunk"), c.expect("a chunk"));
        if let (Some(b), Some(c)) = (&b.batch, &c.batch) {
            assert!(Arc::ptr_eq(b, c));
        }
        if b.in_sync && c.in_sync {
            break;
        }
    }
    assert_eq!(table.reader(B).view, table.reader(C).view);
}

#[test]
fn a_shared_chunk_leaves_out_what_is_the_peers_own() {
    let mut table = Table::new();
    fill(&mut table, A, 100);
    table.announce(B, NET, 7);
    for peer in [B, C] {
        table.subscribe(peer);
    }
    assert_eq!(table.reader(B).view.len(), 100);
    assert_eq!(table.reader(C).view.len(), 101);
}

#[test]
fn a_dump_ends_behind_what_was_there_when_it_was_asked_for() {
    let mut table = Table::new();
    fill(&mut table, A, 10);
    table.subscribe(B);
    table.announce(A, NET, 7);
    table.join(C); // may get the chunk that B got
    while !table.reader(C).ended {
        table.pull(C, CHUNK);
    }
    assert_eq!(table.reader(C).view.len(), 11);
}

#[test]
fn an_old_chunk_is_not_handed_out() {
    let mut table = Table::new();
    fill(&mut table, A, 10);
    table.join(B);
    table.join(C);
    let first = table.pull(B, CHUNK).and_then(|chunk| chunk.batch).expect("a batch");
    table.now = Moment(5_000_000);
    let second = table.pull(C, CHUNK).and_then(|chunk| chunk.batch).expect("a batch");
    assert!(!Arc::ptr_eq(&first, &second));
}

#[test]
fn a_slow_peer_goes_through_churn_by_cursor() {
    let mut table = Table::new();
    fill(&mut table, A, 500);
    table.subscribe(B);
    table.got(B);
    table.slow_down(B);
    for round in 2..50u16 {
        for i in 0..500 {
            table.withdraw(A, &prefix(i), round - 1);
            table.announce(A, &prefix(i), round);
        }
        table.flush();
        if round % 10 == 0 {
            table.pull(B, 2000);
        }
    }
    assert!(!table.reader(B).is_in_sync());
    table.catch_up(B);
    assert!(table.reader(B).view.iter().all(|route| route.ends_with(" 49")));
    assert_eq!(table.reader(B).view.len(), 500);
    assert!(table.got(B).len() < 2500, "far fewer than all changes");
}

#[test]
fn what_a_slow_peer_missed_and_is_undone_is_no_news() {
    let mut table = Table::new();
    fill(&mut table, A, 10);
    table.subscribe(B);
    table.got(B);
    table.slow_down(B);
    for i in 0..10 {
        table.withdraw(A, &prefix(i), 1);
    }
    table.flush();
    for i in 0..10 {
        table.announce(A, &prefix(i), 1);
    }
    table.flush();
    let chunk = table.pull(B, CHUNK).expect("a chunk");
    assert!(chunk.batch.is_none() && chunk.in_sync);
    assert!(table.got(B).is_empty());
}

#[test]
fn a_slow_peer_gets_withdrawals_first_over_several_batches() {
    let mut table = Table::new();
    table.announce(A, NET, 1);
    table.flush();
    table.subscribe(B);
    table.got(B);
    table.slow_down(B);
    table.announce(A, NET, 2);
    table.flush();
    table.announce(A, NET, 3);
    table.withdraw(A, NET, 1);
    table.flush();
    table.catch_up(B);
    assert_eq!(table.got(B)[0], "-10.0.0.0/8 1");
}

#[test]
fn changes_during_a_dump_reach_what_was_dumped_already() {
    let mut table = Table::new();
    fill(&mut table, A, 1000);
    table.join(B);
    table.pull(B, CHUNK);
    for i in (0..1000).step_by(3) {
        table.withdraw(A, &prefix(i), 1);
        table.announce(A, &prefix(i), 2);
    }
    table.flush();
    table.catch_up(B);
    table.subscribe(C);
    assert_eq!(table.reader(B).view, table.reader(C).view);
    assert_eq!(table.reader(B).view.len(), 1000);
}

#[test]
fn tombstones_are_trimmed() {
    let mut table = Table::new();
    table.subscribe(B);
    fill(&mut table, A, 1000);
    for i in 0..1000 {
        table.withdraw(A, &prefix(i), 1);
    }
    table.flush();
    assert_eq!(table.vnet.routes(), 0);
    assert!(!table.vnet.is_empty());
    table.now = Moment(10_000_000);
    table.vnet.expire(table.now);
    assert_eq!(table.trim(), []);
    assert_eq!(table.vnet.held(), (0, 0));
    for peer in [A, B] {
        table.leave(peer);
    }
    assert!(table.vnet.is_empty() && !table.vnet.lingers());
}

#[test]
fn what_came_and_went_within_a_batch_leaves_nothing() {
    let mut table = Table::new();
    // The route comes as a new one at first, then where it was before.
    for _ in 0..2 {
        table.announce(A, &prefix(1), 1);
        table.withdraw(A, &prefix(1), 1);
        table.flush();
    }
    assert_eq!(table.trim(), []);
    assert_eq!(table.vnet.held(), (0, 0));
}

#[test]
fn what_was_withdrawn_lately_keeps_its_place() {
    let mut table = Table::with(TableBounds { trim_at: 20, ..TableBounds::default() });
    fill(&mut table, A, 30);
    for i in 0..30 {
        table.withdraw(A, &prefix(i), 1);
    }
    table.flush();
    assert_eq!(table.vnet.trim(false), []);
    assert_eq!(table.vnet.held(), (10, 10));
    assert_eq!(table.vnet.trim(true), []);
    assert_eq!(table.vnet.held(), (0, 0));
}

#[test]
fn what_a_cursor_needs_is_kept() {
    let mut table = Table::new();
    fill(&mut table, A, 100);
    table.subscribe(B);
    table.slow_down(B);
    for i in 0..100 {
        table.withdraw(A, &prefix(i), 1);
    }
    table.flush();
    table.now = Moment(10_000_000);
    table.vnet.expire(table.now);
    table.trim();
    assert_eq!(table.vnet.held(), (100, 100));
    table.catch_up(B);
    assert!(table.reader(B).view.is_empty());
    table.vnet.expire(Moment(20_000_000));
    table.trim();
    assert_eq!(table.vnet.held(), (0, 0));
}

#[test]
fn the_slowest_is_given_up_when_the_journal_is_full() {
    let bounds = TableBounds { journal_min: 100, journal_per_route: 2, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    fill(&mut table, A, 10);
    for peer in [B, C] {
        table.subscribe(peer);
    }
    table.slow_down(B);
    table.announce(A, NET, 1);
    table.flush();
    flap(&mut table, 50);
    table.slow_down(C);
    flap(&mut table, 50);
    table.now = Moment(10_000_000);
    table.vnet.expire(table.now);
    assert_eq!(table.trim(), [(ShardId(0), PeerId(B))]);
    table.catch_up(C);
    assert_eq!(table.reader(C).view.len(), 11);
}

/// A route goes and comes back so often, in a batch each.
fn flap(table: &mut Table, times: usize) {
    for _ in 0..times {
        table.withdraw(A, NET, 1);
        table.flush();
        table.announce(A, NET, 1);
        table.flush();
    }
}

#[test]
fn all_are_given_up_at_once_without_whom_the_journal_is_not_full() {
    let bounds = TableBounds { journal_min: 100, journal_per_route: 2, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    fill(&mut table, A, 10);
    table.announce(A, NET, 1);
    let slow = 100..120;
    for peer in slow.clone() {
        table.subscribe(peer);
    }
    for peer in slow.clone() {
        table.slow_down(peer);
        flap(&mut table, 10);
    }
    table.now = Moment(10_000_000);
    table.vnet.expire(table.now);
    let late: Vec<_> = table.trim().into_iter().map(|(_, peer)| peer.0).collect();
    // Each knows 20 changes more than the one before, and 122 are allowed.
    assert_eq!(late, (100..114).collect::<Vec<_>>());
    for &peer in &late {
        table.leave(peer);
    }
    assert_eq!(table.trim(), []);
    assert_eq!(table.vnet.held().1, 120);
    for peer in slow.skip(late.len()) {
        table.catch_up(peer);
        assert_eq!(table.reader(peer).view.len(), 11);
    }
}

/// During churn, one peer takes nothing, and one takes a little now and then.
#[test]
fn a_journal_is_coalesced_in_portions_while_it_grows() {
    let bounds =
        TableBounds { compact_at: 200, trim_at: 50, portion: 40, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    fill(&mut table, A, 20);
    for peer in [B, C] {
        table.subscribe(peer);
        table.got(peer);
    }
    table.slow_down(B);
    table.slow_down(C);
    let mut longest = 0;
    for round in 0..3000u16 {
        let (old, new) = (round % 2 + 1, (round + 1) % 2 + 1);
        for i in 0..20 {
            table.withdraw(A, &prefix(i), old);
            table.announce(A, &prefix(i), new);
        }
        // A route that never comes again.
        table.announce(A, &prefix(1000 + usize::from(round)), 1);
        table.flush();
        table.withdraw(A, &prefix(1000 + usize::from(round)), 1);
        table.flush();
        assert_eq!(table.vnet.trim(false), []);
        let (routes, journal) = table.vnet.held();
        longest = longest.max(journal);
        assert!(routes < 500 && journal < 600, "{routes} routes, {journal} entries");
        if round % 500 == 0 {
            table.pull(C, 500);
        }
    }
    println!("at most {longest} entries");
    both_catch_up(&mut table, 20);
    table.vnet.expire(Moment(20_000_000));
    table.trim();
    assert_eq!(table.vnet.held(), (20, 0));
}

/// B and C catch up, and then have so many routes. All of them came back, so B is sent nothing.
fn both_catch_up(table: &mut Table, routes: usize) {
    // Otherwise the chunk that C was sent in the beginning would do for B.
    table.now = Moment(5_000_000);
    for peer in [B, C] {
        table.catch_up(peer);
        assert_eq!(table.reader(peer).view.len(), routes);
    }
    let got = table.got(B);
    assert!(got.is_empty(), "what came back is no news: {got:?}");
}

/// Between two changes of a route come those of all others of its destination.
#[test]
fn a_journal_is_coalesced_whatever_number_of_next_hops_changes_in_turn() {
    let bounds =
        TableBounds { compact_at: 200, trim_at: 50, portion: 40, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    for hop in 0..40 {
        table.announce(A, NET, hop);
    }
    table.flush();
    for peer in [B, C] {
        table.subscribe(peer);
        table.got(peer);
        table.slow_down(peer);
    }
    for round in 0..3000 {
        let hop = round % 40;
        table.withdraw(A, NET, hop);
        table.flush();
        table.announce(A, NET, hop);
        table.flush();
        assert_eq!(table.vnet.trim(false), []);
        let (routes, journal) = table.vnet.held();
        assert!(routes == 40 && journal < 600, "{routes} routes, {journal} entries");
        if round % 500 == 0 {
            table.pull(C, 500);
        }
    }
    both_catch_up(&mut table, 40);
}

#[test]
fn a_cursor_that_stays_too_many_changes_behind_is_given_up() {
    let bounds =
        TableBounds { compact_at: 10, trim_at: 10, journal_span: 500, ..TableBounds::default() };
    let mut table = Table::with(bounds);
    fill(&mut table, A, 10);
    table.subscribe(B);
    table.slow_down(B);
    let mut rounds = 0;
    while table.trim().is_empty() {
        table.withdraw(A, &prefix(3), 1);
        table.flush();
        table.announce(A, &prefix(3), 1);
        table.flush();
        rounds += 1;
        assert!(table.vnet.held().1 < 30, "one route changes");
    }
    assert!((240..260).contains(&rounds), "{rounds} rounds");
}

#[test]
fn a_chunk_ends_inside_a_destination_with_many_next_hops() {
    let mut table = Table::new();
    for hop in 0..500 {
        table.announce(A, NET, hop);
    }
    table.flush();
    for peer in [B, C] {
        table.subscribe(peer);
        table.slow_down(peer);
    }
    for hop in 0..500 {
        table.withdraw(A, NET, hop);
        table.announce(A, NET, hop + 1000);
    }
    table.flush();
    table.got(B);
    table.got(C);
    let (limit, longest) = (1000, 1000 + 60);
    let mut chunks = 0;
    while let Some(chunk) = table.pull(B, limit) {
        chunks += 1;
        let len = chunk.batch.as_ref().map_or(0, |batch| batch.len());
        assert!(len <= longest, "{len} bytes");
        // Changes in between come behind the rest.
        if chunks == 5 {
            table.withdraw(A, NET, 1000);
            table.announce(A, NET, 1);
            table.flush();
        }
        if chunk.in_sync {
            break;
        }
    }
    assert!(chunks > 35, "{chunks} chunks");
    let got = table.got(B);
    assert!(got[..500].iter().all(|update| update.starts_with('-')), "withdrawals first");
    table.catch_up(C);
    assert_eq!(table.reader(B).view, table.reader(C).view);
    assert_eq!(table.reader(B).view.len(), 500);
}

#[test]
fn much_is_forgotten_in_portions() {
    let mut table = Table::with(TableBounds { portion: 10, ..TableBounds::default() });
    fill(&mut table, A, 1000);
    table.leave(A);
    table.vnet.work(usize::MAX);
    table.flush();
    table.vnet.trim(false);
    table.vnet.trim(true);
    let mut left = table.vnet.held();
    assert_eq!(left, (1000, 1990));
    while table.vnet.is_untidy() {
        table.vnet.tidy(10);
        let now = table.vnet.held();
        assert!(left.0 - now.0 <= 10 && left.1 - now.1 <= 10, "{now:?} after {left:?}");
        left = now;
    }
    assert_eq!(left, (0, 0));
    table.vnet.trim(true);
    assert!(table.vnet.is_empty() && !table.vnet.lingers());
}
