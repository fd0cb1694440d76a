//! What a policy refuses of real peers, and what a reload lets in.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use metalbond::policy::Policy;
use metalbond::reflector::inspect::{Cursor, Reason, Verdict};
use metalbond::wire::{Hello, Vni};

use crate::harness::client::modern_hello;
use crate::harness::{
    Client, Reflector, ReflectorConfig, ask, closed_by, counters, eventually, on_each_io, route,
    routes, start,
};

on_each_io!(
    a_refused_route_is_kept_aside_and_its_session_goes_on,
    a_reload_withdraws_what_is_refused_now_and_lets_in_what_is_allowed,
    only_the_peers_of_a_class_are_judged_by_it,
    a_verdict_closes_a_session,
    a_verdict_closes_a_session_that_was_warned_for_the_same_reason,
    a_warning_refuses_nothing,
    a_refused_subscription_gets_nothing_until_a_reload_allows_it,
    a_peer_that_may_not_be_a_server_is_a_client,
    a_class_has_limits_of_its_own,
    filtered_routes_count_and_end_with_their_session,
    filtered_routes_are_listed_page_by_page,
);

/// Sessions over IPv4 are of class `leaf`, those over IPv6 of the default class.
fn with(config: &ReflectorConfig, class: &str) -> ReflectorConfig {
    let text = format!("[[policy.class]]\nname = \"leaf\"\nfrom = \"127.0.0.0/8\"\n{class}\n");
    let mut config = config.clone();
    config.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.settings.policy = Arc::new(Policy::read(&text).unwrap());
    config
}

fn leaf(reflector: &Reflector) -> Client {
    Client::establish((Ipv4Addr::LOCALHOST, reflector.listen_addr().port()).into())
}

fn watcher(reflector: &Reflector, vnis: &[u32]) -> Client {
    let mut watcher =
        Client::establish((Ipv6Addr::LOCALHOST, reflector.listen_addr().port()).into());
    for &vni in vnis {
        watcher.subscribe(vni);
        watcher.expect_end_of_table(vni);
    }
    watcher
}

fn filtered(reflector: &Reflector) -> u64 {
    counters(reflector).total.now.filtered
}

fn filtered_routes_are_listed_page_by_page(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "announce = \"1\""));
    let (mut one, mut two) = (leaf(&reflector), leaf(&reflector));
    let (ones, twos) = (routes(2, 0..600, 1), routes(2, 300..900, 1));
    one.announce_all(&ones);
    two.announce_all(&twos);
    eventually("all are judged", || filtered(&reflector) == 1200);
    let (mut found, mut pages, mut next) = (Vec::new(), 0, Some(Cursor::default()));
    while let Some(from) = next {
        let page = ask(reflector.inspector().filtered(Vni(2), from, 250)).unwrap();
        assert!(page.rows.len() <= 250, "{}", page.rows.len());
        found.extend(page.rows.into_iter().map(|row| {
            assert_eq!((&*row.class, row.rule, row.reason), ("leaf", 0, "announce"));
            assert_eq!(row.why, "it may not announce in VNI 2; class leaf");
            (row.peer.unwrap(), row.destination, row.next_hop)
        }));
        (pages, next) = (pages + 1, page.next);
    }
    assert!(pages >= 5, "{pages}");
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 1200);
    let none = ask(reflector.inspector().filtered(Vni(1), Cursor::default(), 250)).unwrap();
    assert_eq!((none.rows, none.next), (Vec::new(), None));
}

/// How often a requirement was not met.
fn refused(reflector: &Reflector, rule: &str, reason: &str) -> u64 {
    let total = counters(reflector).total;
    let is = |key: &[String; 4]| key[1] == rule && key[2] == reason;
    total.refused.iter().filter(|(key, _)| is(key)).map(|(_, count)| count).sum()
}

fn a_refused_route_is_kept_aside_and_its_session_goes_on(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "announce = \"1-9\""));
    let mut watcher = watcher(&reflector, &[1, 50]);
    let mut leaf = leaf(&reflector);
    let (allowed, denied) = (route(1, 1, 1), route(50, 2, 1));
    leaf.announce(&denied);
    leaf.announce(&allowed);
    watcher.expect_view([&allowed]);
    assert_eq!((filtered(&reflector), refused(&reflector, "0", "announce")), (1, 1));
    leaf.announce(&denied);
    let watching = ask(reflector.inspector().find_peer(&watcher.local_addr().to_string()));
    let id = watching.unwrap()[0].id;
    let explained =
        ask(reflector.inspector().explain(id, denied.vni, denied.destination, None)).unwrap();
    assert_eq!(explained.verdict, Verdict::NotOwed);
    let Reason::Filtered { why, .. } = &explained.reasons[0] else { panic!("{explained:?}") };
    assert_eq!(why, "it may not announce in VNI 50; class leaf");
    leaf.withdraw(&denied);
    eventually("the filtered route is withdrawn", || filtered(&reflector) == 0);
    assert_eq!(refused(&reflector, "0", "announce"), 1, "a repeated ADD is no further refusal");
    leaf.keepalive();
}

fn a_reload_withdraws_what_is_refused_now_and_lets_in_what_is_allowed(config: ReflectorConfig) {
    let first = with(&config, "announce = \"1\"");
    let (reflector, _) = start(&first);
    let mut watcher = watcher(&reflector, &[1, 2]);
    let mut leaf = leaf(&reflector);
    let (one, two) = (routes(1, 0..3000, 1), routes(2, 0..3000, 1));
    leaf.announce_all(&one);
    leaf.announce_all(&two);
    watcher.expect_view(&one);
    eventually("all are judged", || filtered(&reflector) == 3000);
    let second = with(&config, "announce = \"2\"");
    assert!(reflector.reload(&second).unwrap(), "it is another policy");
    watcher.expect_view(&two);
    assert_eq!(filtered(&reflector), 3000);
    assert!(!reflector.reload(&second).unwrap(), "it is the same policy");
    let none = ReflectorConfig { listen: second.listen, ..config.clone() };
    reflector.reload(&none).unwrap();
    watcher.expect_view(one.iter().chain(&two));
    assert_eq!(filtered(&reflector), 0);
    leaf.keepalive();
    assert_eq!(counters(&reflector).total.closed.values().sum::<u64>(), 0, "no session ended");
}

fn only_the_peers_of_a_class_are_judged_by_it(config: ReflectorConfig) {
    let (reflector, _) =
        start(&with(&config, "[[policy.class.rule]]\nprefixes = \"192.0.2.0/24 le 32\"\n"));
    let mut watcher = watcher(&reflector, &[1]);
    let route = route(1, 1, 1);
    let mut leaf = leaf(&reflector);
    leaf.announce(&route);
    eventually("the leaf's is refused", || refused(&reflector, "1", "prefix") == 1);
    let mut other = Client::establish((Ipv6Addr::LOCALHOST, reflector.listen_addr().port()).into());
    other.announce(&route);
    watcher.expect_view([&route]);
    // Two announce it, and one of them counts.
    other.withdraw(&route);
    watcher.expect_view([]);
    assert_eq!(filtered(&reflector), 1);
}

fn a_verdict_closes_a_session(config: ReflectorConfig) {
    let (reflector, _) = start(&with(
        &config,
        "[[policy.class.rule]]\nnext-hops = \"own/64\"\nverdict = \"close\"\n",
    ));
    let mut leaf = leaf(&reflector);
    leaf.announce(&route(1, 1, 1));
    leaf.expect_closed();
    eventually("it is counted", || closed_by(&reflector, "policy") == 1);
    eventually("nothing is left of it", || filtered(&reflector) == 0);
}

fn a_verdict_closes_a_session_that_was_warned_for_the_same_reason(config: ReflectorConfig) {
    let (reflector, _) = start(&with(
        &config,
        "[[policy.class.rule]]\nprefixes = \"192.0.2.0/24\"\nverdict = \"warn\"\n\
         [[policy.class.rule]]\nprefixes = \"10.0.0.1/32\"\nverdict = \"close\"\n",
    ));
    let mut leaf = leaf(&reflector);
    leaf.announce(&route(1, 1, 1));
    eventually("a warning", || refused(&reflector, "1", "prefix") == 1);
    leaf.announce(&route(1, 2, 1));
    leaf.expect_closed();
}

fn a_warning_refuses_nothing(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "announce = []\nverdict = \"warn\""));
    let mut watcher = watcher(&reflector, &[1]);
    let mut leaf = leaf(&reflector);
    let route = route(1, 1, 1);
    leaf.announce(&route);
    watcher.expect_view([&route]);
    assert_eq!((filtered(&reflector), refused(&reflector, "0", "announce")), (0, 1));
}

fn a_refused_subscription_gets_nothing_until_a_reload_allows_it(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "subscribe = \"1\""));
    let mut announcer =
        Client::establish((Ipv6Addr::LOCALHOST, reflector.listen_addr().port()).into());
    let (one, two) = (route(1, 1, 1), route(2, 2, 1));
    announcer.announce(&one);
    announcer.announce(&two);
    let mut leaf = leaf(&reflector);
    leaf.subscribe(2);
    leaf.subscribe(1);
    leaf.expect_view([&one]);
    assert_eq!(refused(&reflector, "0", "subscribe"), 1);
    reflector.reload(&with(&config, "subscribe = \"1-2\"")).unwrap();
    leaf.expect_view([&one, &two]);
    // What it may see no longer it can only be made to forget by the end of its session.
    reflector.reload(&with(&config, "subscribe = \"2\"")).unwrap();
    leaf.expect_closed();
    eventually("it is counted", || closed_by(&reflector, "policy") == 1);
}

fn a_peer_that_may_not_be_a_server_is_a_client(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "server = false"));
    let address = (Ipv4Addr::LOCALHOST, reflector.listen_addr().port()).into();
    let hello = || Hello { is_server: true, ..modern_hello() };
    let mut one = Client::connect(address).shake_hands(hello());
    let mut other = Client::connect(address).shake_hands(hello());
    other.subscribe(1);
    let route = route(1, 1, 1);
    one.announce(&route);
    // Servers are not told what servers announce.
    other.expect_view([&route]);
    assert_eq!(refused(&reflector, "0", "server"), 2);
}

fn a_class_has_limits_of_its_own(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "max-routes = 10\nmax-subscriptions = 2"));
    let mut leaf = leaf(&reflector);
    leaf.announce_all(&routes(1, 0..11, 1));
    leaf.expect_closed();
    let mut other = Client::establish((Ipv6Addr::LOCALHOST, reflector.listen_addr().port()).into());
    other.announce_all(&routes(1, 0..11, 1));
    let mut watcher = watcher(&reflector, &[1]);
    watcher.expect_view(&routes(1, 0..11, 1));
    let mut leaf = self::leaf(&reflector);
    leaf.write(&crate::harness::client::encode(
        &[1, 2, 3].map(|vni| metalbond::wire::Message::Subscribe(Vni(vni))),
    ));
    leaf.expect_closed();
}

fn filtered_routes_count_and_end_with_their_session(config: ReflectorConfig) {
    let (reflector, _) = start(&with(&config, "announce = []\nmax-routes = 100"));
    let mut leaf = leaf(&reflector);
    leaf.announce_all(&routes(1, 0..100, 1));
    eventually("all are kept", || filtered(&reflector) == 100);
    leaf.announce(&route(2, 1, 1));
    leaf.expect_closed();
    eventually("nothing is kept", || filtered(&reflector) == 0);
}
