//! Limits end the session that reaches them, and no other.

use crate::harness::{
    Bystanders, Client, Limits, ReflectorConfig, ask, closed_by, eventually, gone_by, on_each_io,
    peers, route, routes, start,
};

on_each_io!(
    one_peer_too_many_is_closed,
    silent_connections_keep_no_leaf_out,
    a_place_is_taken_with_the_hello,
    one_route_too_many_ends_the_session,
    one_subscription_too_many_ends_the_session,
    vnis_that_a_peer_has_left_do_not_count,
);

fn one_peer_too_many_is_closed(mut config: ReflectorConfig) {
    config.max_peers = 3;
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let third = Client::establish(address);
    for _ in 0..10 {
        Client::connect(address).expect_closed();
    }
    bystanders.exchange(&[]);
    drop(third);
    eventually("a place is free", || peers(&reflector) == 2);
    // The place is given away when the connection's tasks have ended, a moment later.
    eventually("a new session", || {
        let mut client = Client::connect(address);
        client.try_to_shake_hands()
    });
    bystanders.exchange(&[]);
}

fn silent_connections_keep_no_leaf_out(mut config: ReflectorConfig) {
    config.max_peers = 60;
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let silent: Vec<_> = (0..80).map(|_| Client::connect(address)).collect();
    let leaves: Vec<_> = (0..58).map(|_| Client::establish(address)).collect();
    bystanders.exchange(&[]);
    // The oldest made room.
    eventually("the lobby has room", || gone_by(&reflector, "no_room") >= 16);
    let mut silent = silent.into_iter();
    silent.by_ref().take(16).for_each(|mut oldest| oldest.expect_closed());
    let mut last = silent.next_back().unwrap();
    // All places are taken, and with a HELLO that comes now there would be one session too many.
    assert!(!last.try_to_shake_hands());
    assert_eq!(closed_by(&reflector, "max_peers"), 1);
    assert_eq!(leaves.len() + 2, 60);
}

/// Of those that come at once, so many become sessions as there are places.
fn a_place_is_taken_with_the_hello(mut config: ReflectorConfig) {
    config.max_peers = 5;
    let (reflector, address) = start(&config);
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(address)).collect();
    let established = clients.iter_mut().map(Client::try_to_shake_hands).filter(|is_up| *is_up);
    assert_eq!(established.count(), 5);
    assert_eq!(ask(reflector.inspector().counters()).unwrap().total.now.established, 5);
    drop(clients);
    eventually("a new session", || Client::connect(address).try_to_shake_hands());
}

fn one_route_too_many_ends_the_session(mut config: ReflectorConfig) {
    config.settings.limits = Limits { routes_per_peer: 100, ..Limits::default() };
    let (reflector, address) = start(&config);
    // Over VNIs of both shards.
    for vni in [1, 2, 3, 4] {
        let mut bystanders = Bystanders::new(address, vni);
        let mut offender = Client::establish(address);
        let allowed = routes(vni, 0..99, 1);
        offender.announce_all(&allowed);
        offender.announce_all(&allowed);
        offender.announce(&route(vni + 4, 1, 1));
        offender.withdraw(&allowed[0]);
        offender.announce(&allowed[0]);
        bystanders.exchange(&allowed);
        offender.keepalive();
        offender.announce(&route(vni, 100, 1));
        offender.expect_closed();
        bystanders.subscriber.until("nothing of it", |subscriber| subscriber.view.is_empty());
        bystanders.exchange(&[]);
    }
    assert_eq!(closed_by(&reflector, "max_routes_per_peer"), 4);
}

fn one_subscription_too_many_ends_the_session(mut config: ReflectorConfig) {
    config.settings.limits = Limits { subscriptions_per_peer: 10, ..Limits::default() };
    let (_reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let mut offender = Client::establish(address);
    offender.announce(&route(1, 1, 1));
    for vni in 1..11 {
        offender.subscribe(vni);
        offender.subscribe(vni);
        offender.expect_end_of_table(vni);
    }
    offender.unsubscribe(2);
    offender.subscribe(11);
    offender.expect_end_of_table(11);
    bystanders.exchange(&[route(1, 1, 1)]);
    offender.subscribe(12);
    offender.expect_closed();
    bystanders.subscriber.until("nothing of it", |subscriber| subscriber.view.is_empty());
    bystanders.exchange(&[]);
}

fn vnis_that_a_peer_has_left_do_not_count(mut config: ReflectorConfig) {
    config.settings.limits = Limits { subscriptions_per_peer: 10, ..Limits::default() };
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let mut mover = Client::establish(address);
    // Of both shards, one by one and many in one read.
    for vni in 1..300 {
        mover.announce(&route(vni, 1, 1));
        mover.withdraw(&route(vni, 1, 1));
        if vni % 50 == 0 {
            mover.keepalive();
        }
    }
    for vni in 1..300 {
        mover.subscribe(vni);
        mover.announce(&route(vni, 1, 1));
        mover.unsubscribe(vni);
    }
    mover.keepalive();
    bystanders.exchange(&[]);
    // It has its ten, wherever it has been before.
    let ten: Vec<_> = (1..11).map(|vni| route(vni, 2, 1)).collect();
    mover.announce_all(&ten);
    bystanders.exchange(&ten[..1]);
    mover.keepalive();
    assert_eq!(closed_by(&reflector, "max_subscriptions_per_peer"), 0);
    mover.announce(&route(11, 2, 1));
    mover.expect_closed();
    bystanders.subscriber.until("nothing of it", |subscriber| subscriber.view.is_empty());
    bystanders.exchange(&[]);
    assert_eq!(closed_by(&reflector, "max_subscriptions_per_peer"), 1);
}
