//! Who gets what when routes come and go: `docs/protocol.md`, "What a subscriber is owed".

use super::harness::Table;
use crate::ids::{Moment, PeerId};
use crate::table::TableBounds;
use crate::table::vnet::UpdateOutcome;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const ECHO_ALL: u64 = 7;
const ECHO_DUMP: u64 = 8;
const NET: &str = "10.0.0.0/8";

fn table_with_subscribers() -> Table {
    let mut table = Table::new();
    for peer in [A, B, C] {
        table.subscribe(peer);
    }
    table
}

#[test]
fn an_announcer_does_not_get_its_own_route() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    assert_eq!(table.got(B), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(C), ["+10.0.0.0/8 1"]);
    assert!(table.got(A).is_empty());
}

#[test]
fn a_second_announcer_is_news_to_the_first_alone() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    table.announce(B, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(B), ["+10.0.0.0/8 1"]); // A's, from before
    assert_eq!(table.got(C), ["+10.0.0.0/8 1"]); // once
}

#[test]
fn an_announcer_gets_its_own_route_back_if_it_wants_it() {
    let mut table = table_with_subscribers();
    table.subscribe(ECHO_ALL);
    table.announce(ECHO_ALL, NET, 1);
    table.flush();
    table.announce(B, NET, 1);
    table.flush();
    table.withdraw(B, NET, 1);
    table.flush();
    assert_eq!(table.got(ECHO_ALL), ["+10.0.0.0/8 1"], "whoever else announces it");
    table.withdraw(ECHO_ALL, NET, 1);
    table.flush();
    assert_eq!(table.got(ECHO_ALL), ["-10.0.0.0/8 1"]);
    assert_eq!(table.got(C), ["+10.0.0.0/8 1", "-10.0.0.0/8 1"]);
}

#[test]
fn an_announcer_gets_its_own_routes_in_the_dump_alone() {
    let mut table = Table::new();
    table.announce(ECHO_DUMP, NET, 1);
    table.announce(ECHO_DUMP, "0.0.0.0/0", 1);
    table.subscribe(ECHO_DUMP);
    assert_eq!(table.got(ECHO_DUMP), ["+0.0.0.0/0 1", "+10.0.0.0/8 1"]);
    table.announce(ECHO_DUMP, NET, 2);
    table.flush();
    table.port();
    table.catch_up(ECHO_DUMP);
    table.withdraw(ECHO_DUMP, NET, 1);
    table.flush();
    assert_eq!(table.got(ECHO_DUMP), ["-10.0.0.0/8 1"], "until nobody announces it");
}

#[test]
fn the_first_announcer_loses_the_seconds_copy() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.announce(B, NET, 1);
    table.flush();
    table.withdraw(B, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1", "-10.0.0.0/8 1"]);
    assert_eq!(table.got(B), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(C), ["+10.0.0.0/8 1"]);
}

#[test]
fn the_second_announcer_takes_over_silently() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.announce(B, NET, 1);
    table.flush();
    table.withdraw(A, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(B), ["+10.0.0.0/8 1", "-10.0.0.0/8 1"]);
    table.withdraw(B, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["-10.0.0.0/8 1"]);
    assert!(table.got(B).is_empty());
    assert_eq!(table.got(C), ["+10.0.0.0/8 1", "-10.0.0.0/8 1"]);
}

#[test]
fn a_change_of_hands_within_a_batch_swaps_the_announcers_only() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    table.got(B);
    table.got(C);
    table.withdraw(A, NET, 1);
    table.announce(B, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(B), ["-10.0.0.0/8 1"]);
    assert!(table.got(C).is_empty());
}

#[test]
fn a_third_announcer_is_news_to_nobody() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.announce(B, NET, 1);
    table.flush();
    for peer in [A, B, C] {
        table.got(peer);
    }
    table.announce(C, NET, 1);
    table.flush();
    table.withdraw(C, NET, 1);
    table.flush();
    assert!([A, B, C].iter().all(|peer| table.got(*peer).is_empty()));
}

#[test]
fn repeated_adds_and_unknown_removes_are_ignored() {
    let mut table = table_with_subscribers();
    assert_eq!(table.announce(A, NET, 1), UpdateOutcome::Added);
    assert_eq!(table.announce(A, NET, 1), UpdateOutcome::Ignored);
    assert_eq!(table.withdraw(B, NET, 1), UpdateOutcome::Ignored);
    assert_eq!(table.withdraw(A, NET, 2), UpdateOutcome::Ignored);
    assert_eq!(table.withdraw(A, "10.0.0.0/9", 1), UpdateOutcome::Ignored);
    assert_eq!(table.withdraw(A, NET, 1), UpdateOutcome::Removed);
    table.flush();
    assert!(table.got(C).is_empty());
}

#[test]
fn withdrawing_and_announcing_in_one_batch_cancels_out() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    table.got(C);
    table.withdraw(A, NET, 1);
    table.announce(A, NET, 1);
    table.flush();
    assert!(table.got(C).is_empty());
}

#[test]
fn withdrawals_go_first_within_a_destination() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    table.got(C);
    table.announce(A, NET, 2);
    table.announce(A, "10.0.0.0/16", 3);
    table.withdraw(A, NET, 1);
    table.flush();
    assert_eq!(table.got(C), ["-10.0.0.0/8 1", "+10.0.0.0/8 2", "+10.0.0.0/16 3"]);
}

#[test]
fn host_bits_are_part_of_the_identity() {
    let mut table = table_with_subscribers();
    table.announce(A, "10.0.0.1/8", 1);
    table.announce(B, "10.0.0.0/8", 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(B), ["+10.0.0.1/8 1"]);
}

#[test]
fn servers_get_what_some_client_announces() {
    const S: u64 = 1001;
    const T: u64 = 1002;
    let mut table = Table::new();
    for peer in [A, S, T] {
        table.subscribe(peer);
    }
    table.announce(S, NET, 1);
    table.flush();
    assert_eq!(table.got(A), ["+10.0.0.0/8 1"]);
    assert!(table.got(T).is_empty());
    table.announce(A, NET, 1);
    table.flush();
    assert_eq!(table.got(T), ["+10.0.0.0/8 1"]);
    assert_eq!(table.got(S), ["+10.0.0.0/8 1"]);
    table.withdraw(A, NET, 1);
    table.flush();
    assert_eq!(table.got(T), ["-10.0.0.0/8 1"]);
    assert_eq!(table.got(S), ["-10.0.0.0/8 1"]);
    assert!(table.got(A).is_empty());
}

#[test]
fn a_peer_that_comes_back_at_once_sees_none_of_its_old_routes() {
    let mut table = table_with_subscribers();
    table.announce(A, NET, 1);
    table.flush();
    table.leave(A);
    table.subscribe(A);
    table.announce(A, NET, 1);
    table.flush();
    assert!(table.got(A).is_empty());
    assert_eq!(table.reader(C).view.len(), 1);
    assert_eq!(table.vnet.routes(), 1);
}

#[test]
fn a_member_that_leaves_is_withdrawn_in_slices() {
    let mut table = table_with_subscribers();
    for i in 0..100_000u32 {
        let prefix = format!("{}/32", std::net::Ipv4Addr::from(i));
        table.announce(A, &prefix, 1);
        if i % 3 == 0 {
            table.announce(B, &prefix, 1); // these become B's, with A beside it
            table.withdraw(A, &prefix, 1);
            table.announce(A, &prefix, 1);
        }
    }
    table.flush();
    assert_eq!(table.reader(C).view.len(), 100_000);
    table.leave(A);
    let mut slices = 0;
    while table.vnet.has_work() {
        let before = table.vnet.routes();
        table.vnet.work(1000);
        assert!(before - table.vnet.routes() <= 1000);
        table.flush();
        slices += 1;
    }
    assert!(slices >= 100, "{slices}");
    assert_eq!(table.reader(C).view.len(), 33_334);
    assert!(table.reader(B).view.is_empty());
    assert!(table.vnet.leave(PeerId(A)).is_none());
}

#[test]
fn a_crowded_destination_works_like_any_other() {
    let mut table = table_with_subscribers();
    for hop in 0..1000 {
        table.announce(A, NET, hop);
    }
    table.flush();
    assert_eq!(table.reader(C).view.len(), 1000);
    table.got(C);
    for hop in 0..1000 {
        assert_eq!(table.announce(A, NET, hop), UpdateOutcome::Ignored);
        if hop % 10 != 0 {
            assert_eq!(table.withdraw(A, NET, hop), UpdateOutcome::Removed);
        }
    }
    table.announce(A, NET, 1000);
    table.flush();
    let got = table.got(C);
    assert_eq!(got.len(), 901);
    assert_eq!(got[900], "+10.0.0.0/8 1000");
    assert_eq!(table.reader(C).view.len(), 101);
}

#[test]
fn a_destination_has_so_many_next_hops_and_no_more() {
    let mut table = Table::with(TableBounds { next_hops: 3, ..TableBounds::default() });
    table.subscribe(B);
    for hop in 1..=3 {
        assert_eq!(table.announce(A, NET, hop), UpdateOutcome::Added);
    }
    assert_eq!(table.announce(A, NET, 4), UpdateOutcome::Ignored);
    assert_eq!(table.announce(C, NET, 3), UpdateOutcome::Added, "it has this one");
    assert_eq!(table.announce(A, "10.0.0.0/16", 4), UpdateOutcome::Added, "another one has room");
    assert_eq!(table.withdraw(A, NET, 4), UpdateOutcome::Ignored);
    // The tombstone of the first next hop does not count.
    assert_eq!(table.withdraw(A, NET, 1), UpdateOutcome::Removed);
    assert_eq!(table.announce(A, NET, 4), UpdateOutcome::Added);
    table.flush();
    assert_eq!(table.reader(B).view.len(), 4);
    assert!(!table.reader(B).view.contains("10.0.0.0/8 1"));
}

/// Enough announcers and next hops for both ways to keep them, few and many.
#[test]
fn announcers_and_next_hops_come_and_go_by_the_dozen() {
    let mut table = Table::new();
    table.subscribe(1000);
    for round in 0..3 {
        for peer in 1..40 {
            for hop in 0..40 {
                table.announce((peer * 7 + round) % 40 + 1, NET, (hop * 11 + 3) % 40);
            }
        }
        table.flush();
        assert_eq!(table.reader(1000).view.len(), 40);
        for hop in 0..40 {
            for peer in 1..=40 {
                table.withdraw((peer * 3) % 40 + 1, NET, (hop * 7) % 40);
            }
        }
        table.flush();
        assert!(table.reader(1000).view.is_empty());
        if round == 1 {
            table.trim();
        }
    }
    table.vnet.expire(Moment(10_000_000));
    table.trim();
    assert_eq!(table.vnet.held(), (0, 0));
}

/// A withdrawn route stays in its announcer's list until it is freed or another peer announces it.
#[test]
fn withdrawn_routes_change_hands() {
    let prefixes = |range: std::ops::Range<u8>| range.map(|at| format!("10.0.{at}.0/24"));
    let mut table = Table::new();
    table.subscribe(C);
    for (peer, range) in [(A, 0..10), (B, 10..20)] {
        prefixes(range)
            .for_each(|prefix| assert_eq!(table.announce(peer, &prefix, 1), UpdateOutcome::Added));
    }
    prefixes(2..10)
        .for_each(|prefix| assert_eq!(table.withdraw(A, &prefix, 1), UpdateOutcome::Removed));
    // B takes over some of them, and A announces some again.
    prefixes(4..6)
        .for_each(|prefix| assert_eq!(table.announce(B, &prefix, 1), UpdateOutcome::Added));
    prefixes(6..8)
        .for_each(|prefix| assert_eq!(table.announce(A, &prefix, 1), UpdateOutcome::Added));
    table.flush();
    assert_eq!(table.vnet.routes(), 16);
    table.leave(A);
    table.vnet.work(usize::MAX);
    table.flush();
    let left: Vec<_> = prefixes(4..6).chain(prefixes(10..20)).collect();
    let view: Vec<_> = left.iter().map(|prefix| format!("{prefix} 1")).collect();
    assert_eq!(table.reader(C).view, view.into_iter().collect());
    table.now = Moment(10_000_000);
    table.vnet.expire(table.now);
    assert_eq!(table.trim(), []);
    assert_eq!(table.vnet.held().0, left.len(), "no tombstone is left");
    // B's list has the routes that it took over, and none that was freed.
    table.leave(B);
    table.vnet.work(usize::MAX);
    table.flush();
    assert!(table.reader(C).view.is_empty());
    assert_eq!(table.vnet.routes(), 0);
}
