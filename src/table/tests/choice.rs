//! One next hop of each destination, for subscribers that want only one.

use super::harness::{Table, standard};
use crate::ids::Moment;
use crate::table::TableBounds;
use crate::wire::{Action, NextHop, NextHopType};

const A: u64 = 1;
const B: u64 = 2;
/// A subscriber that wants one next hop of each destination; there are two.
const ONE: u64 = 5;
const OTHER: u64 = 6;
const NET: &str = "10.0.0.0/8";

fn table() -> Table {
    let mut table = Table::new();
    for peer in [B, ONE, OTHER] {
        table.subscribe(peer);
    }
    table
}

/// Announces (`+`) and withdraws as these peers do, and compares what `ONE` was sent after each.
fn run<const N: usize>(table: &mut Table, updates: [(u64, &str, &[&str]); N]) {
    for (peer, update, expected) in updates {
        let (sign, hop) = update.split_at(1);
        let hop = hop.parse().unwrap();
        match sign {
            "+" => table.announce(peer, NET, hop),
            _ => table.withdraw(peer, NET, hop),
        };
        table.flush();
        let got: Vec<_> = table.got(ONE);
        let expected: Vec<_> =
            expected.iter().map(|it| format!("{}{NET} {}", &it[..1], &it[1..])).collect();
        assert_eq!(got, expected, "after {update} of {peer}");
    }
}

#[test]
fn the_first_next_hop_stays_while_it_is_announced_and_then_the_lowest_follows() {
    let mut table = table();
    run(
        &mut table,
        [
            (A, "+5", &["+5"]),
            (A, "+7", &[]),
            (B, "+2", &[]),
            (B, "+5", &[]),
            (A, "-5", &[]),
            (B, "-5", &["-5", "+2"]),
            (A, "+1", &[]),
            (A, "-2", &[]),
            (B, "-2", &["-2", "+1"]),
        ],
    );
    assert_eq!(table.reader(B).view.len(), 2, "others have all: {:?}", table.reader(B).view);
}

#[test]
fn a_change_within_one_batch_is_the_removal_of_the_old_and_the_addition_of_the_new() {
    let mut table = table();
    run(&mut table, [(A, "+5", &["+5"])]);
    table.announce(B, NET, 6);
    table.withdraw(A, NET, 5);
    table.announce(A, NET, 5);
    table.flush();
    assert_eq!(table.got(ONE), ["-10.0.0.0/8 5", "+10.0.0.0/8 6"], "6 was chosen meanwhile");
}

#[test]
fn the_announcer_of_the_chosen_next_hop_has_the_best_of_the_others() {
    let mut table = table();
    run(
        &mut table,
        [
            (ONE, "+5", &[]),
            (A, "+8", &["+8"]),
            (B, "+7", &["-8", "+7"]),
            (A, "+5", &["-7", "+5"]),
            (A, "-5", &["-5", "+7"]),
            (ONE, "-5", &[]),
        ],
    );
    assert_eq!(table.reader(OTHER).view.iter().collect::<Vec<_>>(), ["10.0.0.0/8 7"]);
    assert_eq!(table.got(OTHER), ["+10.0.0.0/8 5", "-10.0.0.0/8 5", "+10.0.0.0/8 7"]);
}

#[test]
fn what_is_chosen_outlives_the_portable_form_and_reaches_who_joins_later() {
    let mut table = table();
    run(&mut table, [(A, "+5", &["+5"]), (B, "+2", &[])]);
    table.port();
    for peer in [B, ONE, OTHER] {
        table.catch_up(peer);
    }
    assert!(table.got(ONE).is_empty(), "nothing new");
    table.leave(OTHER);
    table.subscribe(OTHER);
    assert_eq!(table.got(OTHER), ["+10.0.0.0/8 5"]);
    run(&mut table, [(A, "-5", &["-5", "+2"])]);
}

#[test]
fn who_is_behind_gets_the_difference_of_what_was_chosen_and_what_is() {
    let mut table = table();
    run(&mut table, [(A, "+5", &["+5"])]);
    table.slow_down(ONE);
    for hop in [2, 9, 1] {
        table.announce(B, NET, hop);
        table.flush();
    }
    table.withdraw(A, NET, 5);
    table.flush();
    table.withdraw(B, NET, 1);
    table.flush();
    table.port();
    table.catch_up(ONE);
    assert_eq!(table.got(ONE), ["-10.0.0.0/8 5", "+10.0.0.0/8 2"]);
}

#[test]
fn a_dump_sends_one_next_hop_however_many_there_are() {
    let mut table = Table::with(TableBounds { chunk_places: 3, ..TableBounds::default() });
    for hop in (1..40).rev() {
        table.announce(A, NET, hop);
        table.announce(A, "0.0.0.0/0", hop);
        table.announce(A, "10.1.0.0/16", hop);
    }
    table.subscribe(ONE);
    assert_eq!(table.got(ONE), ["+0.0.0.0/0 1", "+10.0.0.0/8 1", "+10.1.0.0/16 1"]);
}

#[test]
fn a_chunk_looks_at_few_next_hops() {
    let mut table = Table::with(TableBounds {
        chunk_places: 500,
        chunk_entries: 500,
        ..TableBounds::default()
    });
    for hop in 1..=100 {
        for to in 0..20 {
            table.announce(A, &format!("10.0.0.{to}/32"), hop);
        }
    }
    let chunks = |table: &mut Table| {
        let pulls = (1..).find(|_| table.pull(ONE, 1 << 20).expect("it is behind").in_sync);
        (pulls.unwrap(), table.got(ONE).len())
    };
    table.join(ONE);
    // Each destination costs 100 looks to find its chosen route, and 100 to send it.
    let (dump, got) = chunks(&mut table);
    assert!(got == 20 && (8..=10).contains(&dump), "{got} routes in {dump} chunks");
    table.slow_down(ONE);
    for to in 0..20 {
        table.withdraw(A, &format!("10.0.0.{to}/32"), 1);
    }
    table.flush();
    let (changes, got) = chunks(&mut table);
    assert!(got == 40 && (4..=5).contains(&changes), "{got} changes in {changes} chunks");
}

#[test]
fn preferences_end_with_the_last_who_could_notice() {
    let mut table = table();
    run(&mut table, [(A, "+5", &["+5"]), (B, "+2", &[])]);
    table.leave(ONE);
    table.leave(OTHER);
    table.subscribe(ONE);
    assert_eq!(table.got(ONE), ["+10.0.0.0/8 2"]);
}

#[test]
fn next_hops_that_differ_only_in_ports_keep_their_order() {
    let mut table = Table::new();
    let port = |to| {
        let address = standard(3).address();
        NextHop::new(address, 0, NextHopType::Standard, 0, to).expect("no range")
    };
    for hop in [standard(9), standard(8), port(2), port(1)] {
        table.update_with(A, Action::Add, NET, hop);
    }
    table.subscribe(ONE);
    assert_eq!(table.got(ONE), ["+10.0.0.0/8 3:1"]);
    // When this tombstone is freed, the last route of the destination takes its place.
    table.withdraw(A, NET, 8);
    table.flush();
    table.now = Moment(table.now.0 + 2_000_000);
    table.vnet.expire(table.now);
    table.trim();
    assert_eq!(table.vnet.held(), (3, 0));
    table.update_with(A, Action::Remove, NET, port(1));
    table.flush();
    assert_eq!(table.got(ONE), ["-10.0.0.0/8 3:1", "+10.0.0.0/8 3:2"]);
    table.update_with(A, Action::Remove, NET, port(2));
    table.flush();
    assert_eq!(table.got(ONE), ["-10.0.0.0/8 3:2", "+10.0.0.0/8 9"]);
}
