//! Who may connect, and what changes while the reflector runs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use metalbond::reflector::{Access, AccessList, Prefix, Refused, ShardConfig};

use crate::harness::client::{encode, update};
use crate::harness::{
    Client, Reflector, ReflectorConfig, ask, closed_by, eventually, on_each_io, peers, route,
    routes, start,
};

on_each_io!(
    a_denied_source_is_refused_and_counted,
    a_source_has_so_many_sessions_at_a_time,
    a_source_may_come_so_often,
    the_loopback_has_any_number_of_sessions,
    a_new_list_closes_the_sessions_it_denies,
    a_lowered_limit_ends_who_adds_one_more,
    what_a_start_would_refuse_changes_nothing,
);

/// Both address families, which are two sources.
fn dual(config: &mut ReflectorConfig) {
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.access.limits_loopback = true;
}

fn over_v4(reflector: &Reflector) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, reflector.listen_addr().port()).into()
}

fn over_v6(reflector: &Reflector) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, reflector.listen_addr().port()).into()
}

fn without(denied: &str) -> AccessList {
    AccessList::new([], [denied.parse::<Prefix>().unwrap()])
}

fn a_denied_source_is_refused_and_counted(mut config: ReflectorConfig) {
    dual(&mut config);
    config.access.list = without("127.0.0.0/8");
    let (reflector, _) = start(&config);
    Client::connect(over_v4(&reflector)).expect_closed();
    let _session = Client::establish(over_v6(&reflector));
    assert_eq!(reflector.refused(), Refused { denied: 1, ..Refused::default() });
}

fn a_source_has_so_many_sessions_at_a_time(mut config: ReflectorConfig) {
    dual(&mut config);
    config.access.max_peers_per_source = 2;
    let (reflector, _) = start(&config);
    let _first = Client::establish(over_v4(&reflector));
    let second = Client::establish(over_v4(&reflector));
    Client::connect(over_v4(&reflector)).expect_closed();
    let _other = Client::establish(over_v6(&reflector));
    assert_eq!(reflector.refused(), Refused { per_source: 1, ..Refused::default() });
    drop(second);
    eventually("a new session", || Client::connect(over_v4(&reflector)).try_to_shake_hands());
}

fn a_source_may_come_so_often(mut config: ReflectorConfig) {
    dual(&mut config);
    config.access.connect_rate_per_source = 1;
    let (reflector, _) = start(&config);
    eventually("a refusal", || {
        let _session = Client::connect(over_v4(&reflector)).try_to_shake_hands();
        reflector.refused().rate > 0
    });
    let _other = Client::establish(over_v6(&reflector));
    eventually("a new session", || Client::connect(over_v4(&reflector)).try_to_shake_hands());
}

fn the_loopback_has_any_number_of_sessions(mut config: ReflectorConfig) {
    config.access.max_peers_per_source = 1;
    config.access.connect_rate_per_source = 1;
    let (reflector, address) = start(&config);
    let _sessions = [(); 8].map(|()| Client::establish(address));
    assert_eq!(reflector.refused(), Refused::default());
}

fn a_new_list_closes_the_sessions_it_denies(mut config: ReflectorConfig) {
    dual(&mut config);
    let (reflector, _) = start(&config);
    let mut denied = [(); 4].map(|()| Client::establish(over_v4(&reflector)));
    let mut watcher = Client::establish(over_v6(&reflector));
    watcher.subscribe(1);
    denied[0].announce(&route(1, 1, 1));
    watcher.expect_view([&route(1, 1, 1)]);
    let access = Access { list: without("127.0.0.1"), ..Access::default() };
    reflector.reload(&ReflectorConfig { access, ..config.clone() }).unwrap();
    for client in &mut denied {
        client.expect_closed();
    }
    watcher.expect_view([]);
    assert_eq!(closed_by(&reflector, "denied"), 4);
    Client::connect(over_v4(&reflector)).expect_closed();
    reflector.reload(&config).unwrap();
    let _session = Client::establish(over_v4(&reflector));
}

fn a_lowered_limit_ends_who_adds_one_more(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    let mut watcher = Client::establish(address);
    watcher.subscribe(1);
    publisher.announce_all(&routes(1, 0..100, 1));
    watcher.expect_view(&routes(1, 0..100, 1));
    // The shard of the publisher may hear of its routes from the VNI's shard after the watcher.
    let inspector = reflector.inspector();
    eventually("a count of the routes", || {
        let session = publisher.local_addr().to_string();
        ask(inspector.find_peer(&session)).unwrap()[0].routes == 100
    });
    let mut new = ReflectorConfig { max_peers: 1, ..config.clone() };
    new.settings.limits.routes_per_peer = 50;
    reflector.reload(&new).unwrap();
    Client::connect(address).expect_closed();
    publisher.keepalive();
    assert_eq!(peers(&reflector), 2);
    // The limit arrives with the shards a moment later.
    let mut number = 100;
    eventually("an end", || {
        number += 1;
        let add = update(metalbond::wire::Action::Add, &route(1, number, 1));
        publisher.write_anyway(&encode([&add]));
        closed_by(&reflector, "max_routes_per_peer") == 1
    });
    watcher.expect_view([]);
}

fn what_a_start_would_refuse_changes_nothing(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let (none, long) = (Duration::ZERO, ReflectorConfig::BATCH_DELAY_MAX + Duration::from_nanos(1));
    let now = ReflectorConfig { max_peers: 1, ..config };
    let with = |settings| ReflectorConfig { settings, ..now.clone() };
    for new in [
        with(ShardConfig { send_hold: none, ..now.settings.clone() }),
        with(ShardConfig { batch_delay: long, ..now.settings.clone() }),
        ReflectorConfig { max_peers: 0, ..now.clone() },
    ] {
        assert!(reflector.reload(&new).is_err(), "{new:?}");
    }
    let _other = Client::establish(address);
    let _session = Client::establish(address);
}
