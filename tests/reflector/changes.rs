//! A source that changes too much is read more slowly, and lives.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use metalbond::wire::Hello;

use crate::harness::client::modern_hello;
use crate::harness::{Client, Reflector, ReflectorConfig, counters, on_each_io, routes, start};

on_each_io!(
    a_source_that_changes_too_much_is_read_more_slowly_and_lives,
    sessions_of_a_source_share_what_it_may_change,
);

/// Changes per second; twice as many at once.
const RATE: u32 = 500;

fn limited(mut config: ReflectorConfig) -> (Reflector, [SocketAddr; 2]) {
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.access.limits_loopback = true;
    config.settings.change_rate_per_source = RATE;
    let (reflector, address) = start(&config);
    let port = address.port();
    (reflector, [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()])
}

fn pauses(reflector: &Reflector) -> u64 {
    counters(reflector).total.stats.source_pauses
}

fn a_source_that_changes_too_much_is_read_more_slowly_and_lives(config: ReflectorConfig) {
    let (reflector, [v4, v6]) = limited(config);
    let mut subscriber = Client::establish(v6);
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    let hasty = Hello { keepalive_interval: 1, ..modern_hello() };
    let mut publisher = Client::connect(v4).shake_hands(hasty);
    let began = Instant::now();
    let all = routes(1, 0..4000, 1);
    publisher.announce_all(&all);
    // Its KEEPALIVE would wait behind all of that; it is sent some unasked, in time.
    for _ in 0..2 {
        let heard = publisher.keepalives;
        let asked = Instant::now();
        publisher.until("a KEEPALIVE", |publisher| publisher.keepalives > heard);
        assert!(asked.elapsed() < Duration::from_millis(2500), "{:?}", asked.elapsed());
    }
    subscriber.expect_view(&all);
    // At least what goes beyond the burst and the first two reads takes its time.
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(pauses(&reflector) > 0);
    publisher.keepalive();
    // Repeated ones change nothing and are free; others are not held up.
    let paused = pauses(&reflector);
    let began = Instant::now();
    subscriber.announce_all(&routes(2, 0..500, 1));
    subscriber.keepalive();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(pauses(&reflector) <= paused + 3);
}

/// On both shards.
fn sessions_of_a_source_share_what_it_may_change(config: ReflectorConfig) {
    let (reflector, [v4, v6]) = limited(config);
    let mut sessions = [(); 4].map(|()| Client::establish(v4));
    let mut subscriber = Client::establish(v6);
    let mut expected = Vec::new();
    for (session, vni) in sessions.iter_mut().zip(1..) {
        let some = routes(vni, 0..600, 1);
        session.announce_all(&some);
        subscriber.subscribe(vni);
        expected.extend(some);
    }
    subscriber.expect_view(&expected);
    // Each alone is within the burst, and all of them are not.
    let mut number = 10_000;
    crate::harness::eventually("a pause", || {
        for (session, vni) in sessions.iter_mut().zip(1..) {
            session.announce_all(&routes(vni, number..number + 20, 1));
        }
        number += 20;
        pauses(&reflector) > 0
    });
    sessions.iter_mut().for_each(Client::keepalive);
}
