//! What each subscriber is owed (`view(s, v)`: what others announce), seen through sockets.

use std::net::{Ipv4Addr, Ipv6Addr};

use metalbond::wire::{Action, Hello, NextHop, NextHopType, Vni};

use crate::harness::client::{encode, modern_hello, plain_hello, update};
use crate::harness::{
    Client, ReflectorConfig, Route, counters, eventually, expect_empty, on_each_io, prefix, route,
    routes, start,
};

on_each_io!(
    a_subscriber_gets_what_was_there_and_what_comes,
    a_third_party_gets_a_route_of_two_announcers_once,
    an_announcer_has_the_copy_of_the_other_until_it_is_alone,
    three_announcers_leave_one_after_the_other,
    next_hops_that_differ_in_any_field_are_different_routes,
    nobody_gets_routes_of_other_vnis,
    an_unsubscribe_ends_the_stream_and_withdraws_own_routes,
    an_unsubscribe_without_a_subscription_does_nothing,
    the_end_of_a_session_withdraws_its_routes,
    subscribing_twice_sends_nothing_new,
    subscribing_again_sends_the_table_again,
    reflectors_do_not_exchange_reflected_routes,
    default_routes_come_first_in_a_dump,
    the_end_of_a_dump_is_told_to_who_asked_for_it,
    repeated_announcements_and_unknown_withdrawals_are_ignored,
    an_old_next_hop_goes_before_the_new_one_comes,
);

/// Each of `clients` has what it is expected to have and nothing else was on its way in that VNI:
/// every one of them says a route of its own behind whatever it said before, and all others see it.
/// Nothing is expected of those that don't subscribe.
fn settle(vni: u32, clients: &mut [(&mut Client, Option<&[Route]>)]) {
    let marker = |n: usize| route(vni, 0xff_0000 + u32::try_from(n).unwrap(), 0xff);
    let markers: Vec<_> = (0..clients.len()).map(marker).collect();
    for (n, (client, _)) in clients.iter_mut().enumerate() {
        client.announce(&markers[n]);
    }
    for (n, (client, expected)) in clients.iter_mut().enumerate() {
        let Some(expected) = expected else { continue };
        let others = markers.iter().filter(|route| **route != markers[n]);
        client.expect_view(expected.iter().chain(others));
    }
    for (n, (client, _)) in clients.iter_mut().enumerate() {
        client.withdraw(&markers[n]);
    }
    for (client, expected) in clients.iter_mut() {
        if let Some(expected) = expected {
            client.expect_view(*expected);
        }
    }
}

fn a_subscriber_gets_what_was_there_and_what_comes(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    // VNIs of both shards, watched from connections of both.
    for vni in 1..5 {
        let mut publisher = Client::establish(address);
        let before = routes(vni, 0..100, 1);
        publisher.announce_all(&before);
        let mut subscribers = [(); 2].map(|()| Client::establish(address));
        for subscriber in &mut subscribers {
            subscriber.subscribe(vni);
            subscriber.expect_view(&before);
        }
        let after = routes(vni, 100..200, 1);
        publisher.announce_all(&after);
        publisher.withdraw_all(&before);
        for subscriber in &mut subscribers {
            subscriber.expect_view(&after);
        }
    }
    expect_empty(&reflector);
}

fn a_third_party_gets_a_route_of_two_announcers_once(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let route = route(1, 1, 1);
    let [mut one, mut two, mut third] = [(); 3].map(|()| Client::establish(address));
    third.subscribe(1);
    one.announce(&route);
    third.expect_view([&route]);
    two.announce(&route);
    settle(1, &mut [(&mut one, None), (&mut two, None), (&mut third, Some(&[route]))]);
    one.withdraw(&route);
    settle(1, &mut [(&mut one, None), (&mut two, None), (&mut third, Some(&[route]))]);
    two.withdraw(&route);
    third.expect_view([]);
    assert_eq!(third.updates.iter().filter(|u| u.destination == route.destination).count(), 2);
}

fn an_announcer_has_the_copy_of_the_other_until_it_is_alone(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let route = route(1, 1, 1);
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    one.subscribe(1);
    two.subscribe(1);
    one.announce(&route);
    two.expect_view([&route]);
    settle(1, &mut [(&mut one, Some(&[])), (&mut two, Some(&[route]))]);
    two.announce(&route);
    one.expect_view([&route]);
    settle(1, &mut [(&mut one, Some(&[route])), (&mut two, Some(&[route]))]);
    two.withdraw(&route);
    one.expect_view([]);
    settle(1, &mut [(&mut one, Some(&[])), (&mut two, Some(&[route]))]);
    one.withdraw(&route);
    two.expect_view([]);
}

fn three_announcers_leave_one_after_the_other(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let route = route(1, 1, 1);
    let [mut one, mut two, mut three, mut third] = [(); 4].map(|()| Client::establish(address));
    for client in [&mut one, &mut two, &mut three, &mut third] {
        client.subscribe(1);
        client.expect_end_of_table(1);
    }
    for client in [&mut one, &mut two, &mut three] {
        client.announce(&route);
    }
    let has: Option<&[Route]> = Some(&[route]);
    let lacks: Option<&[Route]> = Some(&[]);
    settle(1, &mut [(&mut one, has), (&mut two, has), (&mut three, has), (&mut third, has)]);
    one.withdraw(&route);
    settle(1, &mut [(&mut one, has), (&mut two, has), (&mut three, has), (&mut third, has)]);
    drop(two);
    three.expect_view([]);
    settle(1, &mut [(&mut one, has), (&mut three, lacks), (&mut third, has)]);
    three.unsubscribe(1);
    settle(1, &mut [(&mut one, lacks), (&mut third, lacks)]);
}

fn next_hops_that_differ_in_any_field_are_different_routes(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    let v4 = Ipv4Addr::new(192, 0, 2, 1).into();
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
    let hops = [
        NextHop::standard(v4),
        NextHop::standard(v6),
        NextHop::new(v6, 7, NextHopType::Standard, 0, 0).unwrap(),
        NextHop::new(v6, 0, NextHopType::LoadBalancerTarget, 0, 0).unwrap(),
        NextHop::new(v6, 0, NextHopType::Nat, 0, 0).unwrap(),
        NextHop::new(v6, 0, NextHopType::Nat, 0, 65_535).unwrap(),
        NextHop::new(v6, 0, NextHopType::Nat, 1, 65_535).unwrap(),
    ];
    let mut all: Vec<_> = hops.map(|next_hop| Route { next_hop, ..route(1, 1, 1) }).into();
    // Host bits are part of a route, too.
    let host_bits = [1, 2].map(|host| prefix(1, Ipv4Addr::new(10, 0, 0, host).into(), 24, 1));
    let lengths = [0, 64, 128].map(|length| prefix(1, v6, length, 1));
    all.extend(host_bits);
    all.extend(lengths);
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    while let Some(route) = all.pop() {
        publisher.withdraw(&route);
        subscriber.expect_view(&all);
    }
}

fn nobody_gets_routes_of_other_vnis(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut one, mut two, mut none] = [(); 4].map(|()| Client::establish(address));
    one.subscribe(1);
    two.subscribe(2);
    publisher.announce(&route(1, 1, 1));
    publisher.announce(&route(2, 1, 1));
    publisher.announce(&route(0, 1, 1));
    publisher.announce(&route(u32::MAX, 1, 1));
    one.expect_view([&route(1, 1, 1)]);
    two.expect_view([&route(2, 1, 1)]);
    none.keepalive();
    assert!(none.updates.is_empty());
    // A VNI is any 32 bits.
    none.subscribe(0);
    none.subscribe(u32::MAX);
    none.expect_view(&[route(0, 1, 1), route(u32::MAX, 1, 1)]);
}

fn an_unsubscribe_ends_the_stream_and_withdraws_own_routes(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut leaver, mut other, mut publisher] = [(); 3].map(|()| Client::establish(address));
    other.subscribe(1);
    other.subscribe(2);
    leaver.subscribe(1);
    leaver.announce(&route(1, 1, 1));
    leaver.announce(&route(2, 1, 1));
    publisher.announce(&route(1, 2, 2));
    other.expect_view(&[route(1, 1, 1), route(2, 1, 1), route(1, 2, 2)]);
    leaver.expect_view([&route(1, 2, 2)]);
    leaver.unsubscribe(1);
    other.expect_view(&[route(2, 1, 1), route(1, 2, 2)]);
    publisher.withdraw(&route(1, 2, 2));
    other.expect_view([&route(2, 1, 1)]);
    leaver.keepalive();
    assert_eq!(leaver.updates.len(), 1);
    // It may announce again, without subscribing.
    leaver.announce(&route(1, 1, 1));
    other.expect_view(&[route(1, 1, 1), route(2, 1, 1)]);
}

fn an_unsubscribe_without_a_subscription_does_nothing(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    publisher.announce(&route(1, 1, 1));
    publisher.unsubscribe(1);
    publisher.unsubscribe(2);
    publisher.announce(&route(1, 2, 1));
    let all = [route(1, 1, 1), route(1, 2, 1)];
    subscriber.expect_view(&all);
    settle(1, &mut [(&mut publisher, None), (&mut subscriber, Some(&all))]);
}

fn the_end_of_a_session_withdraws_its_routes(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    let mut all = Vec::new();
    for vni in 1..9 {
        subscriber.subscribe(vni);
        publisher.subscribe(vni);
        all.extend(routes(vni, 0..50, 1));
    }
    publisher.announce_all(&all);
    subscriber.expect_view(&all);
    drop(publisher);
    subscriber.expect_view([]);
    drop(subscriber);
    expect_empty(&reflector);
}

fn subscribing_twice_sends_nothing_new(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    publisher.announce(&route(1, 1, 1));
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    subscriber.subscribe(1);
    settle(1, &mut [(&mut publisher, None), (&mut subscriber, Some(&[route(1, 1, 1)]))]);
    assert_eq!(subscriber.ended, [Vni(1)]);
}

fn subscribing_again_sends_the_table_again(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    let all = routes(1, 0..1000, 1);
    publisher.announce_all(&all);
    for round in 1..10 {
        subscriber.subscribe(1);
        subscriber.until("the end", |subscriber| subscriber.ended.len() == round);
        subscriber.expect_view(&all);
        subscriber.unsubscribe(1);
        subscriber.view.clear();
    }
}

fn reflectors_do_not_exchange_reflected_routes(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let server =
        |hello: Hello| Client::connect(address).shake_hands(Hello { is_server: true, ..hello });
    let [mut one, mut two] = [server(modern_hello()), server(plain_hello())];
    let mut client = Client::establish(address);
    for peer in [&mut one, &mut two, &mut client] {
        peer.subscribe(1);
    }
    one.announce(&route(1, 1, 1));
    two.announce(&route(1, 2, 2));
    client.expect_view(&[route(1, 1, 1), route(1, 2, 2)]);
    // What the client says now is behind whatever the servers may have been told of each other.
    client.announce(&route(1, 3, 3));
    one.expect_view([&route(1, 3, 3)]);
    two.expect_view([&route(1, 3, 3)]);
    // A client announces the same route as a server: the other server gets it.
    client.announce(&route(1, 1, 1));
    two.expect_view(&[route(1, 1, 1), route(1, 3, 3)]);
    one.expect_view(&[route(1, 1, 1), route(1, 3, 3)]);
    drop(client);
    one.expect_view([]);
    two.expect_view([]);
}

fn default_routes_come_first_in_a_dump(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..5000, 1));
    let defaults = [
        prefix(1, Ipv4Addr::UNSPECIFIED.into(), 0, 1),
        prefix(1, Ipv6Addr::UNSPECIFIED.into(), 0, 1),
    ];
    publisher.announce_all(&defaults);
    publisher.announce_all(&routes(1, 5000..6000, 1));
    publisher.keepalive();
    for mut subscriber in [Client::establish(address), Client::establish_plain(address)] {
        subscriber.subscribe(1);
        subscriber.until("the dump", |subscriber| subscriber.view.len() == 6002);
        assert!(subscriber.updates[..2].iter().all(|update| update.destination.is_default()));
    }
}

fn the_end_of_a_dump_is_told_to_who_asked_for_it(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    let all = routes(2, 0..3000, 1);
    publisher.announce_all(&all);
    publisher.keepalive();
    let mut subscriber = Client::establish(address);
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    assert!(subscriber.updates.is_empty());
    subscriber.subscribe(2);
    subscriber.expect_end_of_table(2);
    assert_eq!(subscriber.view.len(), all.len());
    assert_eq!(subscriber.ended, [Vni(1), Vni(2)]);
    // The client fails when it gets one that it did not ask for.
    let mut plain = Client::establish_plain(address);
    plain.subscribe(1);
    plain.subscribe(2);
    plain.expect_view(&all);
    publisher.announce(&route(1, 1, 1));
    plain.expect_view(all.iter().chain([&route(1, 1, 1)]));
}

fn repeated_announcements_and_unknown_withdrawals_are_ignored(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    publisher.withdraw(&route(1, 1, 1));
    publisher.announce(&route(1, 1, 1));
    publisher.announce(&route(1, 1, 1));
    subscriber.expect_view([&route(1, 1, 1)]);
    // Somebody else's, and one with another next hop.
    subscriber.withdraw(&route(1, 1, 1));
    publisher.withdraw(&route(1, 1, 2));
    subscriber.expect_view([&route(1, 1, 1)]);
    settle(1, &mut [(&mut publisher, None), (&mut subscriber, Some(&[route(1, 1, 1)]))]);
    publisher.withdraw(&route(1, 1, 1));
    publisher.withdraw(&route(1, 1, 1));
    settle(1, &mut [(&mut publisher, None), (&mut subscriber, Some(&[]))]);
    // Nobody sees what the subscriber itself said, so nothing tells when it was served.
    eventually("five ignored updates", || counters(&reflector).total.stats.updates_ignored == 5);
}

fn an_old_next_hop_goes_before_the_new_one_comes(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    publisher.announce(&route(1, 1, 1));
    for hop in 2..50 {
        // The new one is said first, and both are pending together.
        let (was, is) = (route(1, 1, hop - 1), route(1, 1, hop));
        subscriber.expect_view([&was]);
        publisher.write(&encode(&[update(Action::Add, &is), update(Action::Remove, &was)]));
        subscriber.expect_view([&is]);
        let actions = subscriber.updates.last_chunk().unwrap().map(|update| update.action);
        assert_eq!(actions, [Action::Remove, Action::Add]);
    }
}
