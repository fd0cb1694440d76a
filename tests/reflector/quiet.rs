//! Clients that say nothing but KEEPALIVE, each when it is due: the reflector reads those together.

use std::time::{Duration, Instant};

use crate::harness::{Client, ReflectorConfig, on_each_io, route, start};

on_each_io!(
    regular_keepalives_are_answered_in_time,
    a_client_that_breaks_its_silence_is_heard_at_once,
    what_is_as_short_as_a_keepalive_is_heard_at_once,
    an_unsubscribe_that_is_as_short_is_heard_at_once,
    the_end_of_a_silent_client_is_noticed_at_once,
);

/// Seconds. Long enough for a machine that is busy with other tests to be on time.
const KEEPALIVE: u32 = 6;
const INTERVAL: Duration = Duration::from_secs(KEEPALIVE as u64);
/// Far below what is left of an interval when something happens in the middle of it.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Keeps a session alive for some intervals, by the clock; how long each answer took.
fn keep_alive(client: &mut Client, rounds: u32) -> Vec<Duration> {
    let began = Instant::now();
    let mut answer = |round| {
        let due = began + INTERVAL * round;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        client.keepalive();
        sent.elapsed()
    };
    (0..rounds).map(&mut answer).collect()
}

/// A client that the reflector has got to know as a quiet one, and a subscriber that has its route.
fn quiet_client(mut config: ReflectorConfig, script: impl Fn(&mut Client, &mut Client)) {
    config.settings.keepalive = KEEPALIVE;
    let (_reflector, address) = start(&config);
    let mut quiet = Client::establish(address);
    quiet.announce(&route(1, 1, 1));
    keep_alive(&mut quiet, 6);
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(1);
    subscriber.expect_view([&route(1, 1, 1)]);
    script(&mut quiet, &mut subscriber);
}

fn regular_keepalives_are_answered_in_time(mut config: ReflectorConfig) {
    config.settings.keepalive = KEEPALIVE;
    let (_reflector, address) = start(&config);
    let mut client = Client::establish(address);
    let answers = keep_alive(&mut client, 8);
    assert!(answers.iter().all(|time| *time < AT_ONCE), "{answers:?}");
    if cfg!(target_os = "linux") {
        let waited = answers.iter().filter(|time| **time > Duration::from_millis(20)).count();
        assert!(waited > 2, "none is held: {answers:?}");
    }
}

fn a_client_that_breaks_its_silence_is_heard_at_once(config: ReflectorConfig) {
    quiet_client(config, |quiet, subscriber| {
        let announced = Instant::now();
        quiet.announce(&route(1, 2, 1));
        subscriber.expect_view([&route(1, 1, 1), &route(1, 2, 1)]);
        assert!(announced.elapsed() < AT_ONCE, "{:?}", announced.elapsed());
    });
}

/// A SUBSCRIBE of VNI 0 has no payload.
fn what_is_as_short_as_a_keepalive_is_heard_at_once(config: ReflectorConfig) {
    quiet_client(config, |quiet, publisher| {
        publisher.announce(&route(0, 1, 2));
        let asked = Instant::now();
        quiet.subscribe(0);
        quiet.expect_view([&route(0, 1, 2)]);
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    });
}

/// Neither has an UNSUBSCRIBE, which also withdraws what was announced there.
fn an_unsubscribe_that_is_as_short_is_heard_at_once(mut config: ReflectorConfig) {
    config.settings.keepalive = KEEPALIVE;
    let (_reflector, address) = start(&config);
    let mut quiet = Client::establish(address);
    quiet.subscribe(0);
    quiet.announce(&route(0, 1, 1));
    keep_alive(&mut quiet, 6);
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(0);
    subscriber.expect_view([&route(0, 1, 1)]);
    let left = Instant::now();
    quiet.unsubscribe(0);
    subscriber.expect_view([]);
    assert!(left.elapsed() < AT_ONCE, "{:?}", left.elapsed());
}

fn the_end_of_a_silent_client_is_noticed_at_once(config: ReflectorConfig) {
    quiet_client(config, |quiet, subscriber| {
        let ended = Instant::now();
        quiet.finish();
        subscriber.expect_view([]);
        assert!(ended.elapsed() < AT_ONCE, "{:?}", ended.elapsed());
    });
}
