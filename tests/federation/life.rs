//! Reflectors that end, stand still and start again.

use rustix::process::Signal;

use crate::harness::{Client, Nats, Process, eventually, route, routes};

fn nats() -> Option<Nats> {
    support::log_to_output();
    Nats::start("")
}

/// Two sites, a client at the first, and a subscriber at the second that knows what that announces.
fn two_sites(nats: &Nats, stale_time: &str) -> (Process, Client, Process, Client) {
    let one = Process::start(nats, "one", &[]);
    let other = Process::start(nats, "other", &["--federation-stale-time", stale_time]);
    let mut announcer = Client::establish(one.address);
    let mut subscriber = Client::establish(other.address);
    announcer.announce_all(&routes(7, 0..10, 1));
    subscriber.subscribe(7);
    subscriber.expect_view(&routes(7, 0..10, 1));
    (one, announcer, other, subscriber)
}

#[test]
fn routes_of_a_killed_site_stay_for_the_stale_time_and_go() {
    let Some(nats) = nats() else { return };
    let (mut one, _announcer, other, mut subscriber) = two_sites(&nats, "6s");
    one.kill();
    eventually("a stale site", || other.seen("one")["state"] == "stale");
    subscriber.keepalive();
    assert_eq!(subscriber.removes(), 0, "they stay");
    subscriber.expect_view([]);
    eventually("a site that is gone", || other.seen("one")["state"] == "gone");
}

#[test]
fn a_site_that_starts_again_takes_nothing_back_that_its_clients_announce_again() {
    let Some(nats) = nats() else { return };
    let (mut one, announcer, other, mut subscriber) = two_sites(&nats, "120s");
    let address = one.address.to_string();
    one.kill();
    drop(announcer);
    let one = Process::start_at(&nats, "one", &address, &[]);
    let mut announcer = Client::establish(one.address);
    announcer.announce_all(&routes(7, 0..10, 1));
    announcer.announce(&route(7, 10, 1));
    subscriber.expect_view(&routes(7, 0..11, 1));
    eventually("a site that warms up", || other.seen("one")["state"] == "warming");
    assert_eq!(subscriber.removes(), 0);
    // What its earlier process alone said goes when the new one has warmed up.
    announcer.withdraw(&route(7, 0, 1));
    subscriber.until("the end of what nobody announces", |subscriber| subscriber.removes() == 1);
    subscriber.expect_view(&routes(7, 1..11, 1));
    assert_eq!(other.seen("one")["state"], "live");
}

#[test]
fn a_site_that_is_stopped_says_so_and_withdraws_nothing() {
    let Some(nats) = nats() else { return };
    let (mut one, _announcer, other, mut subscriber) = two_sites(&nats, "120s");
    one.terminate();
    eventually("a site that drains", || other.seen("one")["state"] == "draining");
    subscriber.keepalive();
    assert_eq!(subscriber.removes(), 0);
}

#[test]
fn a_site_that_drains_says_so_and_goes_on_when_it_does_not() {
    let Some(nats) = nats() else { return };
    let (one, mut announcer, other, mut subscriber) = two_sites(&nats, "120s");
    one.ctl(&["drain", "--rate", "1"]);
    eventually("a site that drains", || other.seen("one")["state"] == "draining");
    announcer.expect_closed();
    subscriber.keepalive();
    assert_eq!(subscriber.removes(), 0);
    one.ctl(&["undrain"]);
    let mut announcer = Client::establish(one.address);
    announcer.announce_all(&routes(7, 5..15, 1));
    subscriber.expect_view(&routes(7, 5..15, 1));
}

#[test]
fn a_site_that_stands_still_misses_nothing() {
    let Some(nats) = nats() else { return };
    let (one, mut announcer, other, mut subscriber) = two_sites(&nats, "120s");
    other.signal(Signal::STOP);
    eventually("a site that is silent", || one.seen("other")["state"] == "stale");
    announcer.announce_all(&routes(7, 10..5_000, 1));
    announcer.withdraw_all(&routes(7, 0..5, 1));
    announcer.keepalive();
    other.signal(Signal::CONT);
    subscriber.expect_view(&routes(7, 5..5_000, 1));
    eventually("a site that is back", || {
        one.seen("other")["state"] == "warming" || one.seen("other")["state"] == "live"
    });
}

#[test]
fn of_two_reflectors_of_one_name_the_later_is_silent() {
    let Some(nats) = nats() else { return };
    let (one, mut announcer, other, mut subscriber) = two_sites(&nats, "120s");
    let mut twin = Process::start(&nats, one.name(), &[]);
    let mut stranger = Client::establish(twin.address);
    stranger.subscribe(7);
    stranger.announce(&route(7, 99, 1));
    eventually("a twin that knows", || twin.federation()["twin"] == true);
    // It hears nothing of its own name, and is not heard.
    announcer.announce(&route(7, 50, 1));
    subscriber.until("the next route", |subscriber| subscriber.view.contains(&route(7, 50, 1)));
    assert!(!subscriber.view.contains(&route(7, 99, 1)));
    assert_eq!(other.seen("one")["state"].as_str().map(|state| state != "stale"), Some(true));
    twin.kill();
}

#[test]
fn a_handover_takes_nothing_back_at_other_sites_nor_here() {
    let Some(nats) = nats() else { return };
    let (mut one, mut announcer, mut other, mut subscriber) = two_sites(&nats, "120s");
    announcer.subscribe(7);
    subscriber.announce(&route(7, 77, 2));
    announcer.expect_view(&[route(7, 77, 2)]);
    one.hand_over();
    announcer.announce(&route(7, 10, 1));
    subscriber.until("the next route", |subscriber| subscriber.view.contains(&route(7, 10, 1)));
    other.hand_over();
    announcer.announce(&route(7, 11, 1));
    subscriber.announce(&route(7, 78, 2));
    subscriber.until("the next route", |subscriber| subscriber.view.contains(&route(7, 11, 1)));
    announcer.until("the next route", |announcer| announcer.view.contains(&route(7, 78, 2)));
    assert_eq!((announcer.removes(), subscriber.removes()), (0, 0));
}
