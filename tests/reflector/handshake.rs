//! How a session begins, however its bytes arrive.

use std::time::Instant;

use metalbond::wire::{Action, Capabilities, Extensions, Hello, Message, Vni};

use crate::harness::client::{PATIENCE, encode, modern_hello, plain_hello, update};
use crate::harness::{Client, ReflectorConfig, on_each_io, route, start};

on_each_io!(
    the_server_says_who_it_is,
    the_server_says_the_lower_of_both_intervals,
    it_says_for_how_long_it_has_had_sessions,
    extensions_go_only_to_peers_that_sent_some,
    keepalives_are_answered_one_for_one,
    a_client_need_not_wait_for_the_first_answer,
    a_session_may_arrive_in_one_write,
    a_session_may_arrive_byte_by_byte,
    a_session_may_be_cut_anywhere,
    an_unsubscribe_during_the_handshake_is_ignored,
    a_hello_that_is_repeated_is_ignored,
);

fn the_server_says_who_it_is(mut config: ReflectorConfig) {
    config.settings.keepalive = 7;
    config.settings.node = "reflector-1".into();
    let (_reflector, address) = start(&config);
    let client = Client::establish(address);
    let hello = client.hello.unwrap();
    assert_eq!(hello.keepalive_interval, 7);
    assert!(hello.is_server);
    let extensions = hello.extensions.unwrap();
    assert_eq!(extensions.node, "reflector-1");
    assert!(extensions.agent.starts_with("metalbond/"));
    assert!(extensions.capabilities.contains(Capabilities::STREAM));
}

fn the_server_says_the_lower_of_both_intervals(mut config: ReflectorConfig) {
    config.settings.keepalive = 7;
    let (_reflector, address) = start(&config);
    for (wished, said) in [(3, 3), (7, 7), (60, 7)] {
        let hello = Hello { keepalive_interval: wished, ..plain_hello() };
        let client = Client::connect(address).shake_hands(hello);
        assert_eq!(client.hello.unwrap().keepalive_interval, said);
    }
}

fn it_says_for_how_long_it_has_had_sessions(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let serving = || {
        let client = Client::establish(address);
        client.hello.as_ref().unwrap().extensions.as_ref().unwrap().serving_seconds
    };
    assert_eq!(serving(), 0);
    let first = Client::establish(address);
    let deadline = Instant::now() + PATIENCE;
    while serving() < 1 {
        assert!(Instant::now() < deadline, "it does not count");
    }
    // Nor does a deployed peer learn of it: the client checks that.
    Client::establish_plain(address);
    // Without any session it knows no more than a new one.
    drop(first);
    while serving() > 0 {
        assert!(Instant::now() < deadline, "it still counts");
    }
}

fn extensions_go_only_to_peers_that_sent_some(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    // The client checks that extensions are answered if, and only if, it sent some.
    let mut plain = Client::establish_plain(address);
    plain.subscribe(1);
    let named = Extensions::new(Capabilities::default(), "", "only-a-name");
    let mut named =
        Client::connect(address).shake_hands(Hello { extensions: Some(named), ..plain_hello() });
    named.subscribe(1);
    let mut publisher = Client::establish(address);
    let routes = [route(1, 1, 1), route(1, 2, 1)];
    publisher.announce_all(&routes);
    plain.expect_view(&routes);
    named.expect_view(&routes);
}

fn keepalives_are_answered_one_for_one(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut client = Client::establish(address);
    for answered in 2..20 {
        client.keepalive();
        assert_eq!(client.keepalives, answered);
    }
}

fn a_client_need_not_wait_for_the_first_answer(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let route = route(1, 1, 1);
    let mut publisher = Client::connect(address);
    publisher.say_hello(modern_hello());
    publisher.send(&Message::Keepalive);
    publisher.announce(&route);
    let mut subscriber = Client::connect(address);
    subscriber.say_hello(modern_hello());
    subscriber.send(&Message::Keepalive);
    subscriber.subscribe(1);
    subscriber.expect_view([&route]);
    publisher.until("the answer", |publisher| publisher.keepalives == 1);
}

/// A whole session: what it sends, and what others then see of it.
fn script(vni: u32) -> Vec<u8> {
    encode(&[
        Message::Hello(modern_hello()),
        Message::Keepalive,
        Message::Subscribe(Vni(vni)),
        update(Action::Add, &route(vni, 1, 1)),
        update(Action::Add, &route(vni, 2, 1)),
        update(Action::Remove, &route(vni, 1, 1)),
        Message::Keepalive,
        Message::Subscribe(Vni(vni + 1)),
        Message::Unsubscribe(Vni(vni + 1)),
    ])
}

fn expect_script(client: &mut Client, watcher: &mut Client, vni: u32) {
    client.until("both answers", |client| client.keepalives == 2);
    watcher.expect_view([&route(vni, 2, 1)]);
    client.expect_view([]);
}

fn a_session_may_arrive_in_one_write(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut watcher = Client::establish(address);
    watcher.subscribe(1);
    let mut client = Client::connect(address);
    client.spoke(modern_hello());
    client.write(&script(1));
    expect_script(&mut client, &mut watcher, 1);
}

fn a_session_may_arrive_byte_by_byte(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut watcher = Client::establish(address);
    watcher.subscribe(1);
    let mut client = Client::connect(address);
    client.spoke(modern_hello());
    for byte in script(1) {
        client.write(&[byte]);
    }
    expect_script(&mut client, &mut watcher, 1);
}

fn a_session_may_be_cut_anywhere(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let script = script(1);
    let mut watcher = Client::establish(address);
    watcher.subscribe(1);
    for cut in 1..script.len() {
        let mut client = Client::connect(address);
        client.spoke(modern_hello());
        client.write(&script[..cut]);
        // Whatever arrived has been read when somebody else's session has gone on.
        watcher.keepalive();
        client.write(&script[cut..]);
        expect_script(&mut client, &mut watcher, 1);
        drop(client);
        watcher.expect_view([]);
    }
}

fn an_unsubscribe_during_the_handshake_is_ignored(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    publisher.announce(&route(1, 1, 1));
    let mut client = Client::connect(address);
    client.unsubscribe(1);
    client.unsubscribe(0);
    client.say_hello(modern_hello());
    client.unsubscribe(1);
    client.until("HELLO", |client| client.hello.is_some());
    client.unsubscribe(2);
    client.send(&Message::Keepalive);
    client.subscribe(1);
    client.announce(&route(1, 2, 1));
    client.expect_view([&route(1, 1, 1)]);
    publisher.subscribe(1);
    publisher.expect_view([&route(1, 2, 1)]);
}

fn a_hello_that_is_repeated_is_ignored(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    publisher.announce(&route(1, 1, 1));
    for hello in [modern_hello(), plain_hello()] {
        let mut client = Client::connect(address);
        client.say_hello(hello.clone());
        client.send(&Message::Hello(hello.clone()));
        client.send(&Message::Keepalive);
        client.send(&Message::Hello(hello));
        client.subscribe(1);
        // The client fails when it gets a second HELLO.
        client.expect_view([&route(1, 1, 1)]);
    }
}
