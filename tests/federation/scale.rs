//! Many VNIs, and many routes of one.

use std::time::Instant;

use crate::harness::{Client, Nats, Process, eventually, route, routes};

#[test]
fn ten_thousand_vnis_are_joined_and_each_is_right() {
    const VNIS: u32 = 10_000;
    support::log_to_output();
    let Some(nats) = Nats::start("") else { return };
    let one = Process::start(&nats, "one", &[]);
    let other = Process::start(&nats, "other", &[]);
    let mut announcer = Client::establish(one.address);
    let mut subscriber = Client::establish(other.address);
    let of = |number: u32| (0..VNIS).map(move |vni| route(vni, number, 1));
    announcer.announce_all(&of(1).collect::<Vec<_>>());
    announcer.keepalive();
    eventually("sites that know each other", || other.seen("one")["site"] == "one");
    let began = Instant::now();
    for vni in 0..VNIS {
        subscriber.subscribe(vni);
    }
    subscriber.expect_view(&of(1).collect::<Vec<_>>());
    println!("{VNIS} VNIs joined in {:?}", began.elapsed());
    eventually("all in sync", || other.seen("one")["vnis_in_sync"] == VNIS);
    // Changes go by the subscription to all VNIs.
    announcer.announce_all(&of(2).collect::<Vec<_>>());
    announcer.withdraw_all(&of(1).collect::<Vec<_>>());
    subscriber.expect_view(&of(2).collect::<Vec<_>>());
}

#[test]
fn a_large_table_is_joined_while_it_changes() {
    const ROUTES: u32 = 200_000;
    support::log_to_output();
    let Some(nats) = Nats::start("") else { return };
    let one = Process::start(&nats, "one", &[]);
    let other = Process::start(&nats, "other", &[]);
    let mut announcer = Client::establish(one.address);
    let mut subscriber = Client::establish(other.address);
    announcer.announce_all(&routes(7, 0..ROUTES, 1));
    announcer.keepalive();
    eventually("sites that know each other", || other.seen("one")["site"] == "one");
    let began = Instant::now();
    subscriber.subscribe(7);
    for round in 0..50 {
        announcer.withdraw_all(&routes(7, round * 100..round * 100 + 50, 1));
        announcer.announce_all(&routes(7, ROUTES + round * 10..ROUTES + round * 10 + 10, 1));
    }
    let stays = |number: &u32| *number >= 5_000 || number % 100 >= 50;
    let all = (0..ROUTES + 500).filter(stays).map(|number| route(7, number, 1));
    subscriber.expect_view(&all.collect::<Vec<_>>());
    println!("{ROUTES} routes joined in {:?}", began.elapsed());
    eventually("one VNI in sync", || other.seen("one")["vnis_in_sync"] == 1);
    assert_eq!(other.seen("one")["mismatches"], 0);
}
