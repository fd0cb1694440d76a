//! What must not grow with what peers choose.

use std::time::{Duration, Instant};

use super::harness::Table;

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
    // A machine that stalls makes one of the two look slow, but not five times in a row.
    let mut ratios = (0..5).map(|_| {
        let (few, many) = (thousand_more(0), thousand_more(20_000));
        println!("{few:?} beside none, {many:?} beside 20,000");
        many.as_secs_f64() / few.as_secs_f64()
    });
    assert!(ratios.any(|ratio| ratio < 4.0), "announcers are searched one by one");
}
