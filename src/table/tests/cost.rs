//! What must not grow with what peers choose.

use std::time::{Duration, Instant};

use super::harness::Table;
use crate::ids::{Moment, PeerId};
use crate::wire::{Action, NextHop};

/// The time that a thousand more peers take to announce ten routes and to leave, after `before` other peers have
/// announced them.
fn thousand_more(before: u64) -> Duration {
    let mut table = Table::new();
    let announce = |table: &mut Table, peers: std::ops::Range<u64>| {
        for peer in peers {
            for route in 0..10 {
                table.announce(peer, &format!("10.0.0.{route}/32"), 1);
            }
        }
    };
    // Servers: only a look at all of them shows that no client announces the route.
    announce(&mut table, 2000..2000 + before);
    let began = Instant::now();
    let more = 2000 + before..3000 + before;
    announce(&mut table, more.clone());
    for peer in more.rev() {
        table.leave(peer);
    }
    while table.vnet.has_work() {
        table.vnet.work(1000);
    }
    began.elapsed()
}

#[test]
fn a_route_costs_the_same_whoever_else_announces_it() {
    let is_alike = is_alike(|| thousand_more(0), || thousand_more(20_000));
    assert!(is_alike, "announcers are searched one by one");
}

/// The time of 100 announcements of a next hop of a destination that has so many, while the routes of so many peers are
/// kept that are gone. The next hop is withdrawn each time before, or else announced already.
fn beside_stale(hops: u16, gone: u64, is_anew: bool) -> Duration {
    const NET: &str = "10.0.0.0/8";
    let mut table = Table::new();
    for hop in 0..hops {
        table.announce(1, NET, hop);
    }
    for peer in 100..100 + gone {
        table.announce(peer, "11.0.0.0/8", 1);
        table.vanish(peer, Moment(60_000_000));
    }
    hundred(&mut table, NET, 0, is_anew)
}

/// The time of 100 announcements of a next hop by peer 1, each after its withdrawal if `is_anew`.
fn hundred(table: &mut Table, prefix: &str, hop: u16, is_anew: bool) -> Duration {
    table.flush();
    let member = table.vnet.members.find(PeerId(1)).expect("a member");
    let destination = prefix.parse().expect("a prefix");
    let hop = NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, hop].into());
    let began = Instant::now();
    for _ in 0..100 {
        if is_anew {
            table.vnet.update(member, Action::Remove, &destination, &hop);
        }
        table.vnet.update(member, Action::Add, &destination, &hop);
    }
    began.elapsed()
}

#[test]
fn an_announcement_costs_the_same_however_many_peers_are_gone() {
    let is_alike = is_alike(|| beside_stale(4096, 1, true), || beside_stale(4096, 64, true));
    assert!(is_alike, "each peer that is gone is asked for each next hop");
}

#[test]
fn a_repeated_announcement_costs_the_same_however_many_next_hops_there_are_beside_stale_routes() {
    let is_alike = is_alike(|| beside_stale(8, 1, false), || beside_stale(4096, 1, false));
    assert!(is_alike, "all next hops are looked at");
}

/// The time of 100 announcements, each of a next hop that was withdrawn before, of a destination that has so many. A
/// subscriber wants one next hop of each destination.
fn beside_chooser(hops: u16) -> Duration {
    const NET: &str = "10.0.0.0/8";
    let mut table = Table::new();
    table.subscribe(5);
    for hop in 0..hops {
        table.announce(1, NET, hop);
    }
    hundred(&mut table, NET, 7, true)
}

#[test]
fn an_announcement_costs_the_same_however_many_next_hops_a_choice_is_made_of() {
    let is_alike = is_alike(|| beside_chooser(16), || beside_chooser(4096));
    assert!(is_alike, "the chosen next hop is searched each time");
}

/// Whether the second takes less than four times as long as the first. A machine that stalls makes one of the two look
/// slow, but not five times in a row.
fn is_alike(few: impl Fn() -> Duration, many: impl Fn() -> Duration) -> bool {
    (0..5).any(|_| {
        let (few, many) = (few(), many());
        println!("{few:?} and {many:?}");
        many.as_secs_f64() < 4.0 * few.as_secs_f64()
    })
}
