//! What a peer gets for bad input, and that nobody else notices: what breaks the stream ends the session
//! at once, what is merely not understood is skipped.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use metalbond::reflector::ShardConfig;
use metalbond::wire::{Action, Hello, MAX_PAYLOAD, Message, NextHop, Vni, proto};
use prost::Message as _;

use crate::harness::client::{Route, encode, frame, hello_of, modern_hello, plain_hello, update};
use crate::harness::{
    Bystanders, Client, Reflector, ReflectorConfig, ask, closed_by, counters, eventually, gone_by,
    on_each_io, peers, route, start,
};

on_each_io!(
    next_hops_that_nobody_can_send_to_are_reflected_unless_it_is_told_not_to,
    a_bad_message_ends_its_session_and_withdraws_its_routes,
    an_update_that_makes_no_sense_costs_nothing_but_itself,
    a_bad_beginning_ends_the_connection,
    half_a_bad_header_is_enough,
    a_peer_without_hello_is_closed_after_ten_seconds,
    a_connection_without_hello_is_no_session,
    a_silent_peer_is_closed_after_two_and_a_half_intervals,
    a_peer_that_keeps_talking_is_kept,
    a_peer_that_closes_its_side_is_closed,
    a_bad_message_behind_good_ones_leaves_nothing_behind,
);

/// It is bad input that has closed sessions, and no timeout.
fn expect_no_timeout(reflector: &Reflector) {
    for reason in ["hello_timeout", "hold_time", "send_hold"] {
        assert_eq!(closed_by(reflector, reason), 0, "{reason}");
    }
}

fn good_update() -> proto::Update {
    proto::Update {
        action: 0,
        vni: 1,
        destination: Some(proto::Destination {
            ip_version: 0,
            prefix: vec![10, 0, 0, 0],
            prefix_length: 24,
        }),
        next_hop: Some(proto::NextHop {
            target_address: vec![1; 16],
            target_vni: 0,
            r#type: 0,
            nat_port_range_from: 0,
            nat_port_range_to: 0,
        }),
    }
}

fn bad_update(spoil: impl FnOnce(&mut proto::Update)) -> Vec<u8> {
    let mut update = good_update();
    spoil(&mut update);
    frame(5, &update.encode_to_vec())
}

fn bad_destination(spoil: impl FnOnce(&mut proto::Destination)) -> Vec<u8> {
    bad_update(|update| spoil(update.destination.as_mut().unwrap()))
}

fn bad_next_hop(spoil: impl FnOnce(&mut proto::NextHop)) -> Vec<u8> {
    bad_update(|update| spoil(update.next_hop.as_mut().unwrap()))
}

fn nat(from: u32, to: u32) -> Vec<u8> {
    bad_next_hop(|hop| {
        hop.r#type = 1;
        hop.nat_port_range_from = from;
        hop.nat_port_range_to = to;
    })
}

/// What no established session may say.
fn bad_messages() -> Vec<(&'static str, Vec<u8>)> {
    let other = Hello { keepalive_interval: 59, ..modern_hello() };
    vec![
        ("version 0", vec![0, 0, 0, 2]),
        ("version 2", vec![2, 0, 0, 2]),
        ("a payload of 1189 bytes", frame(2, &[0; MAX_PAYLOAD + 1])),
        ("a payload of 65535 bytes", vec![1, 0xff, 0xff, 2]),
        ("type 0", frame(0, &[])),
        ("type 9", frame(9, &[])),
        ("type 255", frame(255, &[])),
        ("an undecodable SUBSCRIBE", frame(3, &[0x08])),
        ("an undecodable UNSUBSCRIBE", frame(4, &[0x08, 0xff])),
        ("another interval in a second HELLO", encode([&Message::Hello(other)])),
        ("a second HELLO without extensions", encode([&Message::Hello(plain_hello())])),
        ("another name in a second HELLO", encode([&Message::Hello(hello_of("other"))])),
        ("an empty second HELLO", frame(1, &[])),
    ]
}

/// What costs nothing but itself, and the reason under which it is counted.
fn skipped_messages() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    vec![
        ("END_OF_TABLE", "unexpected", encode([&Message::EndOfTable(Vni(1))])),
        ("an undecodable UPDATE", "protobuf", frame(5, &[0xff; 20])),
        ("an empty UPDATE", "missing_destination", frame(5, &[])),
        ("no destination", "missing_destination", bad_update(|update| update.destination = None)),
        ("no next hop", "missing_next_hop", bad_update(|update| update.next_hop = None)),
        ("action 2", "action", bad_update(|update| update.action = 2)),
        ("action -1", "action", bad_update(|update| update.action = -1)),
        ("IP version 2", "ip_version", bad_destination(|to| to.ip_version = 2)),
        ("an empty prefix", "prefix", bad_destination(|to| to.prefix.clear())),
        ("a prefix of 5 bytes", "prefix", bad_destination(|to| to.prefix = vec![1; 5])),
        ("a prefix of 1000 bytes", "prefix", bad_destination(|to| to.prefix = vec![1; 1000])),
        ("an IPv6 prefix for IPv4", "prefix", bad_destination(|to| to.prefix = vec![1; 16])),
        ("an IPv4 prefix for IPv6", "prefix", bad_destination(|to| to.ip_version = 1)),
        ("IPv4 prefix length 33", "prefix_length", bad_destination(|to| to.prefix_length = 33)),
        (
            "prefix length 2^32 - 1",
            "prefix_length",
            bad_destination(|to| to.prefix_length = u32::MAX),
        ),
        (
            "IPv6 prefix length 129",
            "prefix_length",
            bad_destination(|to| {
                to.ip_version = 1;
                to.prefix = vec![1; 16];
                to.prefix_length = 129;
            }),
        ),
        ("an empty next hop", "next_hop_address", bad_next_hop(|hop| hop.target_address.clear())),
        (
            "a next hop of 8 bytes",
            "next_hop_address",
            bad_next_hop(|hop| hop.target_address = vec![1; 8]),
        ),
        ("next hop type 3", "next_hop_type", bad_next_hop(|hop| hop.r#type = 3)),
        ("next hop type -1", "next_hop_type", bad_next_hop(|hop| hop.r#type = -1)),
        ("NAT ports 2 to 1", "nat_ports", nat(2, 1)),
        ("NAT ports 1 to 65536", "nat_ports", nat(1, 65_536)),
    ]
}

fn an_update_that_makes_no_sense_costs_nothing_but_itself(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let mut publisher = Client::establish(address);
    let mut its = Vec::new();
    let mut expected = BTreeMap::new();
    for (n, (what, reason, bytes)) in (0..).zip(skipped_messages()) {
        println!("{what}");
        *expected.entry(reason).or_insert(0) += 2;
        // In one read with good ones, and alone.
        let good = [route(1, 2 * n, 1), route(1, 2 * n + 1, 1)];
        let [before, after] = good.each_ref().map(|good| encode([&update(Action::Add, good)]));
        publisher.write(&[&before[..], &bytes, &after].concat());
        publisher.keepalive();
        publisher.write(&bytes);
        publisher.keepalive();
        its.extend(good);
        bystanders.subscriber.expect_view(&its);
    }
    bystanders.exchange(&its);
    let counted = counters(&reflector).total.skipped;
    assert_eq!(counted, expected);
    let peer = ask(reflector.inspector().find_peer("test-node")).unwrap();
    assert!(peer.iter().any(|peer| peer.skipped == expected), "{peer:?}");
    assert_eq!(peers(&reflector), 3, "sessions have ended");
    // The routes are those of a session like any other.
    drop(publisher);
    bystanders.subscriber.expect_view([]);
}

fn next_hops_that_nobody_can_send_to_are_reflected_unless_it_is_told_not_to(
    config: ReflectorConfig,
) {
    let addresses = ["::", "ff02::1", "::1", "::ffff:192.0.2.1", "fe80::1", "127.0.0.1"];
    let unusable = addresses.map(|address| Route {
        next_hop: NextHop::standard(address.parse().unwrap()),
        ..route(1, 1, 1)
    });
    let good = route(1, 2, 1);
    for skip_unusable_next_hops in [false, true] {
        let settings = ShardConfig { skip_unusable_next_hops, ..config.settings.clone() };
        let (reflector, address) = start(&ReflectorConfig { settings, ..config.clone() });
        let mut watcher = Client::establish(address);
        watcher.subscribe(1);
        let mut publisher = Client::establish(address);
        publisher.announce_all(&unusable);
        publisher.announce(&good);
        let all: Vec<_> = unusable.into_iter().chain([good]).collect();
        watcher.expect_view(if skip_unusable_next_hops { &all[6..] } else { &all });
        let skipped = |why| counters(&reflector).total.skipped.get(why).copied().unwrap_or(0);
        let counts =
            ["unspecified", "multicast", "loopback", "ipv4_mapped", "link_local"].map(skipped);
        assert_eq!(counts, if skip_unusable_next_hops { [1, 1, 2, 1, 1] } else { [0; 5] });
        // The session lives, and a withdrawal of what was skipped is harmless.
        publisher.withdraw_all(&unusable);
        watcher.expect_view(&[good]);
    }
}

fn a_bad_message_ends_its_session_and_withdraws_its_routes(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let its = [route(1, 1, 1), route(1, 2, 1)];
    for (what, bytes) in bad_messages() {
        println!("{what}");
        let mut offender = Client::establish(address);
        offender.subscribe(1);
        offender.announce_all(&its);
        bystanders.exchange(&its);
        offender.write(&bytes);
        offender.expect_closed();
        bystanders.subscriber.expect_view([]);
        bystanders.exchange(&[]);
    }
    eventually("only the bystanders are left", || peers(&reflector) == 2);
    expect_no_timeout(&reflector);
}

fn a_bad_beginning_ends_the_connection(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let hello = |keepalive_interval| {
        encode([&Message::Hello(Hello { keepalive_interval, ..plain_hello() })])
    };
    let and = |mut bytes: Vec<u8>, message| {
        bytes.extend(encode([&message]));
        bytes
    };
    let beginnings = [
        ("another protocol", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("KEEPALIVE", encode([&Message::Keepalive])),
        ("SUBSCRIBE", encode([&Message::Subscribe(Vni(1))])),
        ("an undecodable UNSUBSCRIBE", frame(4, &[0x08])),
        ("UPDATE", encode([&update(Action::Add, &route(1, 1, 1))])),
        ("END_OF_TABLE", encode([&Message::EndOfTable(Vni(1))])),
        ("an empty HELLO", frame(1, &[])),
        ("interval 0", hello(0)),
        ("an undecodable HELLO", frame(1, &[0x08])),
        ("a HELLO with an agent that is no text", frame(1, &[0x08, 5, 0x8a, 1, 1, 0xff])),
        ("another HELLO at once", and(hello(5), Message::Hello(plain_hello()))),
        ("SUBSCRIBE before KEEPALIVE", and(hello(5), Message::Subscribe(Vni(1)))),
        ("UPDATE before KEEPALIVE", and(hello(5), update(Action::Add, &route(1, 1, 1)))),
        ("an UPDATE that makes no sense before KEEPALIVE", [hello(5), frame(5, &[])].concat()),
    ];
    for (what, bytes) in beginnings {
        println!("{what}");
        let mut offender = Client::connect(address);
        offender.write(&bytes);
        offender.expect_closed();
        bystanders.exchange(&[]);
    }
    eventually("only the bystanders are left", || peers(&reflector) == 2);
    expect_no_timeout(&reflector);
}

fn half_a_bad_header_is_enough(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    for bytes in [&[2][..], &[1, 0x04, 0xa5], &[1, 0xff, 0xff]] {
        let mut offender = Client::establish(address);
        offender.write(bytes);
        offender.expect_closed();
    }
}

fn a_peer_without_hello_is_closed_after_ten_seconds(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let began = Instant::now();
    assert_eq!(gone_by(&reflector, "hello_timeout"), 0);
    let mut silent = Client::connect(address);
    let mut half = Client::connect(address);
    half.write(&encode([&Message::Hello(plain_hello())])[..3]);
    silent.expect_closed();
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    half.expect_closed();
    bystanders.exchange(&[]);
    assert_eq!(gone_by(&reflector, "hello_timeout"), 2);
    assert_eq!(closed_by(&reflector, "hello_timeout"), 0);
}

fn a_connection_without_hello_is_no_session(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    for _ in 0..20 {
        drop(Client::connect(address));
    }
    for _ in 0..3 {
        let mut stranger = Client::connect(address);
        stranger.write(b"GET / HTTP/1.1\r\n\r\n");
        stranger.expect_closed();
    }
    let gone = || counters(&reflector).total.without_hello.values().sum::<u64>();
    eventually("all of them are counted", || gone() == 23);
    bystanders.exchange(&[]);
    let total = counters(&reflector).total;
    assert_eq!((total.stats.sessions, total.closed.len(), total.invalid.len()), (2, 0, 0));
}

fn a_silent_peer_is_closed_after_two_and_a_half_intervals(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let hello = Hello { keepalive_interval: 2, ..modern_hello() };
    let mut silent = Client::connect(address).shake_hands(hello.clone());
    let began = Instant::now();
    // One that never becomes established is held to the same.
    let mut half = Client::connect(address);
    half.say_hello(hello);
    silent.announce(&route(1, 1, 1));
    bystanders.exchange(&[route(1, 1, 1)]);
    silent.expect_closed();
    assert!(began.elapsed() >= Duration::from_millis(4600), "{:?}", began.elapsed());
    half.expect_closed();
    bystanders.subscriber.expect_view([]);
    bystanders.exchange(&[]);
}

fn a_peer_that_keeps_talking_is_kept(mut config: ReflectorConfig) {
    config.settings.keepalive = 4;
    let (reflector, address) = start(&config);
    let mut client = Client::establish(address);
    // Whatever a peer says shows that it lives, also what makes no sense.
    let [mut publisher, mut subscriber, mut talker] = [(); 3].map(|()| Client::establish(address));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(12) {
        client.keepalive();
        publisher.announce(&route(1, 1, 1));
        subscriber.subscribe(1);
        talker.write(&bad_update(|update| update.next_hop = None));
        // The pace of the protocol itself, not a wait for anything.
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(peers(&reflector), 4);
}

fn a_peer_that_closes_its_side_is_closed(config: ReflectorConfig) {
    let (_reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    let mut leaver = Client::establish(address);
    leaver.subscribe(1);
    leaver.announce(&route(1, 1, 1));
    bystanders.subscriber.expect_view([&route(1, 1, 1)]);
    leaver.finish();
    leaver.expect_closed();
    bystanders.subscriber.expect_view([]);
    bystanders.exchange(&[]);
}

fn a_bad_message_behind_good_ones_leaves_nothing_behind(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut bystanders = Bystanders::new(address, 1);
    for vni in 1..20 {
        // All of a session in one write, over VNIs of both shards, with a bad end.
        let mut bytes = encode(&[Message::Hello(modern_hello()), Message::Keepalive]);
        for n in 0..50 {
            let vni = vni + n % 3;
            let all = [Message::Subscribe(Vni(vni)), update(Action::Add, &route(vni, n, 1))];
            bytes.extend(encode(&all));
        }
        bytes.push(0);
        let mut offender = Client::connect(address);
        offender.spoke(modern_hello());
        offender.write_anyway(&bytes);
        offender.expect_closed();
        bystanders.subscriber.expect_view([]);
    }
    bystanders.exchange(&[]);
    drop(bystanders);
    crate::harness::expect_empty(&reflector);
}
