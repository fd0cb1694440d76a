//! At a limit on growth the reflector refuses what would make it larger, and goes on with all that is there.

use std::net::SocketAddr;

use metalbond::reflector::{Capacity, LimitAction, MemoryBudget, VniLimits};

use crate::harness::{
    Client, Limits, Reflector, ReflectorConfig, Route, ask, closed_by, counters, eventually,
    on_each_io, route, routes, start,
};

on_each_io!(
    at_max_routes_new_ones_are_refused_and_the_rest_goes_on,
    a_raised_limit_lets_new_routes_in,
    at_max_vnis_a_new_one_is_refused_and_served_when_there_is_room,
    any_shard_refuses_vnis_soon,
    without_memory_nothing_grows_and_what_was_withdrawn_may_come_again,
    a_peer_may_announce_so_many_routes_and_further_ones_are_ignored,
    a_peer_above_its_limit_is_only_warned_of,
    a_vni_may_have_so_many_routes_and_further_ones_are_ignored,
    who_announces_a_route_too_many_in_a_vni_is_closed,
);

fn subscriber_of(address: SocketAddr, vni: u32) -> Client {
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(vni);
    subscriber.expect_end_of_table(vni);
    subscriber
}

/// What a limit has refused.
fn refused(reflector: &Reflector, limit: &str) -> u64 {
    counters(reflector).total.growth_refused.get(limit).copied().unwrap_or_default()
}

/// How often a peer or a VNI came near a limit.
fn warnings(reflector: &Reflector, limit: &str) -> u64 {
    counters(reflector).total.near_limits.get(limit).copied().unwrap_or_default()
}

/// What of a peer was refused.
fn refused_of(reflector: &Reflector, client: &Client) -> u64 {
    let session = client.local_addr().to_string();
    ask(reflector.inspector().find_peer(&session)).unwrap()[0].refused
}

/// Why a peer has a route or lacks it.
fn explained(reflector: &Reflector, client: &Client, route: &Route) -> Vec<String> {
    let inspector = reflector.inspector();
    let session = client.local_addr().to_string();
    let peer = ask(inspector.find_peer(&session)).unwrap()[0].id;
    let Route { vni, destination, next_hop } = *route;
    let answer = ask(inspector.explain(peer, vni, destination, Some(next_hop))).unwrap();
    answer.reasons.iter().map(ToString::to_string).collect()
}

fn with_capacity(config: &ReflectorConfig, capacity: Capacity) -> ReflectorConfig {
    ReflectorConfig { capacity, ..config.clone() }
}

fn at_most_routes(max_routes: u64) -> Capacity {
    Capacity { max_routes, memory: MemoryBudget::Any, ..Capacity::default() }
}

fn at_max_routes_new_ones_are_refused_and_the_rest_goes_on(config: ReflectorConfig) {
    let (reflector, address) = start(&with_capacity(&config, at_most_routes(100)));
    let mut subscriber = subscriber_of(address, 1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..110, 1));
    subscriber.expect_view(&routes(1, 0..100, 1));
    publisher.keepalive();
    assert_eq!(refused(&reflector, "max_routes"), 10);
    eventually("a count of what was refused", || refused_of(&reflector, &publisher) == 10);
    // Repeated ones are no growth, and another peer may announce what is there.
    publisher.announce_all(&routes(1, 0..100, 1));
    let mut other = Client::establish(address);
    other.announce_all(&routes(1, 0..50, 1));
    publisher.subscribe(1);
    publisher.expect_view(&routes(1, 0..50, 1));
    // Changes go on, withdrawals go on.
    for n in 0..20 {
        publisher.withdraw(&route(1, 50 + n, 1));
        publisher.announce(&route(1, 50 + n, 2));
    }
    let mut expected = routes(1, 0..50, 1);
    expected.extend(routes(1, 50..70, 2));
    expected.extend(routes(1, 70..100, 1));
    subscriber.expect_view(&expected);
    publisher.withdraw_all(&routes(1, 70..100, 1));
    subscriber.expect_view(&expected[..70]);
    assert_eq!(refused(&reflector, "max_routes"), 10);
    // A session that ends makes room.
    drop(publisher);
    subscriber.expect_view(&routes(1, 0..50, 1));
    other.announce_all(&routes(1, 200..300, 1));
    expected = routes(1, 0..50, 1);
    expected.extend(routes(1, 200..250, 1));
    subscriber.expect_view(&expected);
}

fn a_raised_limit_lets_new_routes_in(config: ReflectorConfig) {
    let (reflector, address) = start(&with_capacity(&config, at_most_routes(5)));
    let mut subscriber = subscriber_of(address, 1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..6, 1));
    subscriber.expect_view(&routes(1, 0..5, 1));
    reflector.reload(&with_capacity(&config, at_most_routes(0))).unwrap();
    eventually("a route that is let in", || {
        publisher.announce(&route(1, 5, 1));
        publisher.keepalive();
        counters(&reflector).total.now.routes == 6
    });
    subscriber.expect_view(&routes(1, 0..6, 1));
}

fn at_max_vnis_a_new_one_is_refused_and_served_when_there_is_room(mut config: ReflectorConfig) {
    config.shards = Some(1);
    let capacity = Capacity { max_vnis: 3, memory: MemoryBudget::Any, ..Capacity::default() };
    let (reflector, address) = start(&with_capacity(&config, capacity));
    let mut subscriber = Client::establish(address);
    for vni in 1..=4 {
        subscriber.subscribe(vni);
    }
    for vni in 1..=3 {
        subscriber.expect_end_of_table(vni);
    }
    subscriber.keepalive();
    assert_eq!((counters(&reflector).total.now.vnis, refused(&reflector, "max_vnis")), (3, 1));
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(5, 0..10, 1));
    publisher.announce(&route(3, 1, 1));
    subscriber.expect_view(&[route(3, 1, 1)]);
    assert_eq!(refused(&reflector, "max_vnis"), 11);
    assert!(!subscriber.ended.contains(&metalbond::wire::Vni(4)));
    let said = |vni| explained(&reflector, &subscriber, &route(vni, 1, 1));
    let says = |vni, what: &str| said(vni).iter().any(|reason| reason.contains(what));
    assert!(says(4, "no room for VNI 4"), "{:?}", said(4));
    assert!(!says(3, "refused"), "{:?}", said(3));
    assert!(says(2, "has refused 11 announcements"), "{:?}", said(2));
    // Its subscription is not forgotten.
    subscriber.unsubscribe(1);
    subscriber.expect_end_of_table(4);
    publisher.announce(&route(4, 1, 1));
    subscriber.expect_view(&[route(3, 1, 1), route(4, 1, 1)]);
    assert_eq!(counters(&reflector).total.now.vnis, 3);
}

/// Of several shards each may take in a few too many, until it is told.
fn any_shard_refuses_vnis_soon(config: ReflectorConfig) {
    let capacity = Capacity { max_vnis: 8, memory: MemoryBudget::Any, ..Capacity::default() };
    let (reflector, address) = start(&with_capacity(&config, capacity));
    let mut subscriber = Client::establish(address);
    let mut vni = 0;
    eventually("a refusal", || {
        vni += 1;
        subscriber.subscribe(vni);
        subscriber.keepalive();
        refused(&reflector, "max_vnis") > 0
    });
    assert!((8..=16).contains(&counters(&reflector).total.now.vnis), "{vni}");
    // Those that were refused get their turn as others go.
    for vni in 1..vni {
        if subscriber.ended.contains(&metalbond::wire::Vni(vni)) {
            subscriber.unsubscribe(vni);
        }
    }
    subscriber.expect_end_of_table(vni);
}

fn without_memory_nothing_grows_and_what_was_withdrawn_may_come_again(config: ReflectorConfig) {
    let with_memory = |memory| with_capacity(&config, Capacity { memory, ..Capacity::default() });
    let (reflector, address) = start(&with_memory(MemoryBudget::Any));
    let mut subscriber = subscriber_of(address, 1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..100, 1));
    subscriber.expect_view(&routes(1, 0..100, 1));
    reflector.reload(&with_memory(MemoryBudget::Bytes(1))).unwrap();
    let mut number = 1000;
    eventually("a refusal", || {
        number += 1;
        publisher.announce(&route(1, number, 1));
        publisher.keepalive();
        refused(&reflector, "memory_budget") > 0
    });
    let mut expected = routes(1, 0..100, 1);
    expected.extend(routes(1, 1001..number, 1));
    subscriber.expect_view(&expected);
    // A further announcer takes memory as well, and so does a VNI.
    let before = refused(&reflector, "memory_budget");
    let mut other = Client::establish(address);
    other.announce(&route(1, 0, 1));
    other.announce(&route(2, 0, 1));
    other.keepalive();
    eventually("two refusals", || refused(&reflector, "memory_budget") == before + 2);
    for n in 0..100 {
        publisher.withdraw(&route(1, n, 1));
        publisher.announce(&route(1, n, 2));
    }
    expected[..100].copy_from_slice(&routes(1, 0..100, 2));
    subscriber.expect_view(&expected);
    let in_force = reflector.inspector().in_force();
    assert_eq!(in_force.memory_budget, Some(1));
    assert!(in_force.memory_used > 1 << 20, "{}", in_force.memory_used);
    reflector.reload(&with_memory(MemoryBudget::Any)).unwrap();
    eventually("a route that is let in", || {
        other.announce(&route(2, 0, 1));
        other.keepalive();
        counters(&reflector).total.now.vnis == 2
    });
}

fn per_peer(config: &mut ReflectorConfig, action: LimitAction) {
    config.settings.limits =
        Limits { routes_per_peer: 10, routes_per_peer_action: action, ..Limits::default() };
}

fn a_peer_may_announce_so_many_routes_and_further_ones_are_ignored(mut config: ReflectorConfig) {
    per_peer(&mut config, LimitAction::Ignore);
    let (reflector, address) = start(&config);
    // Of both shards.
    for vni in [1, 2, 3, 4] {
        let mut subscriber = subscriber_of(address, vni);
        let mut offender = Client::establish(address);
        offender.announce_all(&routes(vni, 0..7, 1));
        subscriber.expect_view(&routes(vni, 0..7, 1));
        offender.announce_all(&routes(vni, 7..15, 1));
        subscriber.expect_view(&routes(vni, 0..10, 1));
        offender.keepalive();
        eventually("a count of what was refused", || refused_of(&reflector, &offender) == 5);
        offender.withdraw(&route(vni, 0, 1));
        // Between two shards the count of a peer's routes lags a little behind.
        subscriber.expect_view(&routes(vni, 1..10, 1));
        let name = offender.local_addr().to_string();
        let counted = || ask(reflector.inspector().find_peer(&name)).unwrap()[0].routes;
        eventually("the count of a withdrawal", || counted() == 9);
        offender.announce(&route(vni, 0, 2));
        let mut expected = routes(vni, 0..10, 1);
        expected[0] = route(vni, 0, 2);
        subscriber.expect_view(&expected);
    }
    assert_eq!(refused(&reflector, "max_routes_per_peer"), 4 * 5);
    assert_eq!(warnings(&reflector, "max_routes_per_peer"), 4);
    assert_eq!(closed_by(&reflector, "max_routes_per_peer"), 0);
}

fn a_peer_above_its_limit_is_only_warned_of(mut config: ReflectorConfig) {
    per_peer(&mut config, LimitAction::Warn);
    let (reflector, address) = start(&config);
    let mut subscriber = subscriber_of(address, 1);
    let mut offender = Client::establish(address);
    for n in 0..15 {
        offender.announce(&route(1, n, 1));
    }
    subscriber.expect_view(&routes(1, 0..15, 1));
    offender.keepalive();
    eventually("a warning", || warnings(&reflector, "max_routes_per_peer") == 1);
    assert_eq!(refused(&reflector, "max_routes_per_peer"), 0);
}

fn a_vni_may_have_so_many_routes_and_further_ones_are_ignored(mut config: ReflectorConfig) {
    config.settings.vni_limits = VniLimits { routes: 10, action: LimitAction::Ignore };
    let (reflector, address) = start(&config);
    for vni in [1, 2, 3, 4] {
        let mut subscriber = subscriber_of(address, vni);
        let mut first = Client::establish(address);
        first.announce_all(&routes(vni, 0..6, 1));
        subscriber.expect_view(&routes(vni, 0..6, 1));
        let mut second = Client::establish(address);
        second.announce_all(&routes(vni, 3..13, 1));
        subscriber.expect_view(&routes(vni, 0..10, 1));
        second.keepalive();
        eventually("a count of what was refused", || refused_of(&reflector, &second) == 3);
        // What the first withdraws the second has announced too, for the most part.
        first.withdraw_all(&routes(vni, 0..6, 1));
        subscriber.expect_view(&routes(vni, 3..10, 1));
        second.announce_all(&routes(vni, 10..13, 1));
        subscriber.expect_view(&routes(vni, 3..13, 1));
    }
    assert_eq!(refused(&reflector, "max_routes_per_vni"), 4 * 3);
    // It has come near its limit twice.
    assert_eq!(warnings(&reflector, "max_routes_per_vni"), 4 * 2);
}

fn who_announces_a_route_too_many_in_a_vni_is_closed(mut config: ReflectorConfig) {
    config.settings.vni_limits = VniLimits { routes: 10, action: LimitAction::Close };
    let (reflector, address) = start(&config);
    for vni in [1, 2, 3, 4] {
        let mut subscriber = subscriber_of(address, vni);
        let mut first = Client::establish(address);
        first.announce_all(&routes(vni, 0..10, 1));
        subscriber.expect_view(&routes(vni, 0..10, 1));
        let mut second = Client::establish(address);
        second.announce(&route(vni, 10, 1));
        second.expect_closed();
        first.keepalive();
        subscriber.expect_view(&routes(vni, 0..10, 1));
    }
    assert_eq!(closed_by(&reflector, "max_routes_per_vni"), 4);
}
