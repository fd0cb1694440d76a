//! What operators see of a reflector and can do to it, while peers talk to it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use metalbond::CloseReason;
use metalbond::ids::PeerId;
use metalbond::reflector::Inspector;
use metalbond::reflector::inspect::{
    ByAction, Cursor, Lookup, PeerInfo, Reason, RouteFilter, RouteInfo, SessionState,
    SubscriptionState, Verdict,
};
use metalbond::reflector::inspector::{InspectError, Monitor, MonitorEvent, MonitorFilter};
use metalbond::wire::{Destination, NextHop, Vni};

use crate::harness::client::{modern_hello, plain_hello};
use crate::harness::{
    Client, Counters, PATIENCE, Reflector, ReflectorConfig, ask, closed_by, counters, eventually,
    on_each_io, peers, prefix, route, routes, start,
};

on_each_io!(
    peers_are_listed_with_what_they_said_and_did,
    a_peer_is_found_by_id_node_and_address,
    a_peer_is_shown_with_its_part_in_every_vni,
    vnis_of_all_shards_are_listed,
    routes_that_stay_are_listed_once_while_others_change,
    an_address_is_looked_up_by_its_longest_prefix,
    explanations_say_why_a_peer_has_a_route_or_lacks_it,
    a_peer_that_reads_nothing_is_said_to_wait,
    counters_are_exact_after_a_script,
    an_operator_resets_a_session,
    draining_ends_sessions_at_its_rate_and_takes_no_new_ones,
    a_monitor_sees_routes_and_sessions,
    a_monitor_that_is_not_read_counts_what_it_missed,
    a_stopped_reflector_answers_nothing_more,
);

fn all_peers(inspector: &Inspector) -> Vec<PeerInfo> {
    ask(inspector.peers(Cursor::default(), 1000)).unwrap().rows
}

/// The peer that a client is, by its address.
fn id_of(inspector: &Inspector, client: &Client) -> PeerId {
    let address = client.local_addr().to_string();
    let found = ask(inspector.find_peer(&address)).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].id
}

fn peers_are_listed_with_what_they_said_and_did(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    assert!(inspector.is_ready() && inspector.stuck().is_empty());
    let mut publisher = Client::establish(address);
    let mut subscriber = Client::establish_plain(address);
    let table = routes(1, 0..10, 1);
    publisher.announce_all(&table);
    subscriber.subscribe(1);
    subscriber.expect_view(&table);
    let by_id: HashMap<_, _> = all_peers(&inspector).into_iter().map(|p| (p.id, p)).collect();
    assert_eq!(by_id.len(), 2);
    let (one, two) = (id_of(&inspector, &publisher), id_of(&inspector, &subscriber));
    let (one, two) = (&by_id[&one], &by_id[&two]);
    assert_eq!((one.state, two.state), (SessionState::Established, SessionState::Established));
    assert_eq!((&*one.node, &*two.node), ("test-node", ""));
    assert_eq!((one.is_paced, two.is_paced), (false, true));
    assert_eq!((one.updates_received, one.subscriptions), (10, 0));
    assert_eq!((two.updates_sent, two.subscriptions), (ByAction { adds: 10, removes: 0 }, 1));
    assert_eq!(one.keepalive, Some(Duration::from_secs(60)));
    eventually("the owner's count of its routes", || {
        all_peers(&inspector).iter().map(|peer| peer.routes).sum::<u64>() == 10
    });
    let first = ask(inspector.peers(Cursor::default(), 1)).unwrap();
    let second = ask(inspector.peers(first.next.unwrap(), 1)).unwrap();
    assert_ne!(first.rows[0].id, second.rows[0].id);
}

fn a_peer_is_found_by_id_node_and_address(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let client = Client::establish(address);
    let _other = Client::establish_plain(address);
    let id = id_of(&inspector, &client);
    let found = |text: &str| {
        let found = ask(inspector.find_peer(text)).unwrap();
        found.into_iter().map(|peer| peer.id).collect::<Vec<_>>()
    };
    assert_eq!(found("test-node"), [id]);
    assert_eq!(found(&id.to_string()), [id]);
    assert_eq!(found(&id.0.to_string()), [id]);
    assert_eq!(found("::1").len(), 2);
    for nobody in ["", "nobody", "#999", "192.0.2.1", "-1", "99999999999999999999999"] {
        assert!(found(nobody).is_empty(), "{nobody}");
    }
}

fn a_peer_is_shown_with_its_part_in_every_vni(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut client = Client::establish(address);
    for vni in 1..=600 {
        client.announce(&route(vni, 1, 1));
    }
    client.subscribe(3);
    client.expect_end_of_table(3);
    let id = id_of(&inspector, &client);
    eventually("its part in every VNI", || {
        let detail = ask(inspector.peer(id)).unwrap().unwrap();
        let vnis: Vec<_> = detail.vnis.iter().map(|part| part.vni.0).collect();
        let is_so = |part: &metalbond::reflector::inspect::PeerVni| {
            let expected = (part.vni == Vni(3)).then_some(SubscriptionState::InSync);
            part.routes == 1 && part.subscription == expected
        };
        vnis == (1..=600).collect::<Vec<_>>() && detail.vnis.iter().all(is_so)
    });
    assert_eq!(ask(inspector.peer(PeerId(999))), Ok(None));
}

fn vnis_of_all_shards_are_listed(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut client = Client::establish(address);
    for vni in 1..=40 {
        client.announce_all(&routes(vni, 0..vni, 1));
        client.subscribe(vni);
        client.expect_end_of_table(vni);
    }
    let (mut listed, mut from) = (HashMap::new(), Some(Cursor::default()));
    while let Some(cursor) = from {
        let page = ask(inspector.vnis(cursor, 7)).unwrap();
        for row in page.rows {
            assert_eq!((row.members, row.subscribers), (1, 1));
            assert!(listed.insert(row.vni, row.routes).is_none());
        }
        from = page.next.map(|next| next.to_string().parse().unwrap());
    }
    assert_eq!(listed, (1..=40).map(|vni| (Vni(vni), u64::from(vni))).collect());
    assert_eq!(ask(inspector.vni(Vni(9))).unwrap().unwrap().routes, 9);
    assert_eq!(ask(inspector.vni(Vni(99))), Ok(None));
    let one = ask(inspector.subscriptions(Some(Vni(5)), Cursor::default(), 9)).unwrap();
    assert_eq!((one.rows.len(), one.rows[0].state), (1, SubscriptionState::InSync));
    let all = ask(inspector.subscriptions(None, Cursor::default(), 1000)).unwrap();
    assert_eq!(all.rows.len(), 40);
}

fn routes_that_stay_are_listed_once_while_others_change(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let [mut publisher, mut watcher] = [(); 2].map(|()| Client::establish(address));
    let stays = routes(1, 0..2000, 1);
    publisher.announce_all(&stays);
    watcher.subscribe(1);
    watcher.expect_view(&stays);
    let (mut seen, mut from, mut round) = (Vec::new(), Some(Cursor::default()), 0);
    while let Some(cursor) = from {
        let filter = RouteFilter::default();
        let page = ask(inspector.routes(Vni(1), filter, cursor, 100)).unwrap();
        seen.extend(page.rows.iter().map(|row: &RouteInfo| row.destination));
        from = page.next;
        let passing = routes(1, 5000 + round * 50..5050 + round * 50, 1);
        publisher.announce_all(&passing);
        watcher.expect_view(stays.iter().chain(&passing));
        publisher.withdraw_all(&passing);
        watcher.expect_view(&stays);
        round += 1;
    }
    let mut counts: HashMap<Destination, u32> = HashMap::new();
    for destination in seen {
        *counts.entry(destination).or_default() += 1;
    }
    assert!(stays.iter().all(|route| counts.get(&route.destination) == Some(&1)));
}

fn an_address_is_looked_up_by_its_longest_prefix(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    let at = |text: &str, length| prefix(1, text.parse().unwrap(), length, 1);
    let table = [at("10.0.0.0", 8), at("10.1.0.0", 16), at("0.0.0.0", 0)];
    one.announce_all(&table);
    two.subscribe(1);
    two.expect_view(&table);
    two.announce(&table[1]);
    let lookup = |what| ask(inspector.lookup(Vni(1), what)).unwrap();
    let longest = |text: &str| lookup(Lookup::Longest(text.parse().unwrap()));
    eventually("two announcers", || longest("10.1.2.3")[0].announcer_count == 2);
    let found = longest("10.1.2.3");
    assert_eq!(found[0].destination, table[1].destination);
    assert_eq!(found[0].announcers, [id_of(&inspector, &one), id_of(&inspector, &two)]);
    assert!(found[0].age < PATIENCE);
    assert_eq!(longest("192.0.2.1")[0].destination, table[2].destination);
    assert!(longest("2001:db8::1").is_empty());
    assert_eq!(lookup(Lookup::Exact(table[0].destination)).len(), 1);
}

fn explanations_say_why_a_peer_has_a_route_or_lacks_it(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    let mut hello = modern_hello();
    hello.is_server = true;
    let [mut server, mut other] =
        [(); 2].map(|()| Client::connect(address).shake_hands(hello.clone()));
    let (shown, reflected) = (route(1, 1, 1), route(1, 2, 1));
    for client in [&mut publisher, &mut subscriber, &mut server] {
        client.subscribe(1);
        client.expect_end_of_table(1);
    }
    publisher.announce(&shown);
    other.announce(&reflected);
    subscriber.expect_view([&shown, &reflected]);
    server.expect_view([&shown]);
    publisher.expect_view([&reflected]);
    let explain = |client: &Client, route: &crate::harness::Route, hop: Option<NextHop>| {
        let id = id_of(&inspector, client);
        ask(inspector.explain(id, Vni(1), route.destination, hop)).unwrap()
    };
    let text = |client: &Client, route: &crate::harness::Route| {
        explain(client, route, None).reasons.iter().map(ToString::to_string).collect::<String>()
    };
    eventually("that it was sent", || explain(&subscriber, &shown, None).verdict == Verdict::Sent);
    assert_eq!(explain(&publisher, &shown, None).verdict, Verdict::NotOwed);
    assert!(
        text(&publisher, &shown).contains("and the reflector sends no route back to its announcer")
    );
    assert!(text(&server, &reflected).contains("only reflectors announce"));
    assert!(text(&other, &shown).contains("is not subscribed to VNI 1"));
    assert!(text(&subscriber, &route(1, 3, 1)).contains("nobody announces"));
    let unknown = Some(route(1, 1, 9).next_hop);
    let explanation = explain(&subscriber, &shown, unknown);
    assert!(matches!(explanation.reasons[0], Reason::NotAnnounced { .. }));
    let nobody = ask(inspector.explain(PeerId(99), Vni(1), shown.destination, None)).unwrap();
    assert_eq!(nobody.reasons, [Reason::NoSuchPeer { peer: PeerId(99) }]);
    let silent = Client::connect(address);
    eventually("a connection", || peers(&reflector) == 5);
    assert!(text(&silent, &shown).contains("is connecting"));
}

fn a_peer_that_reads_nothing_is_said_to_wait(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut publisher = Client::establish(address);
    let mut reader = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    reader.subscribe(1);
    reader.expect_end_of_table(1);
    let id = id_of(&inspector, &reader);
    let (mut n, step) = (0, 20_000);
    eventually("a peer that is behind", || {
        publisher.announce_all(&routes(1, n..n + step, 1));
        n += step;
        ask(inspector.peer(id)).unwrap().unwrap().info.is_slow
    });
    publisher.keepalive();
    let last = route(1, n - 1, 1);
    let explanation = ask(inspector.explain(id, Vni(1), last.destination, None)).unwrap();
    assert_ne!(explanation.verdict, Verdict::Sent);
    eventually("the counters of it", || {
        let now = counters(&reflector).total.now;
        now.slow_peers == 1 && now.backlog > 0
    });
    drop(reader);
    eventually("its end", || peers(&reflector) == 1);
}

fn counters_are_exact_after_a_script(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let mut publisher = Client::establish(address);
    let mut subscribers = [(); 3].map(|()| Client::establish(address));
    for subscriber in &mut subscribers {
        subscriber.subscribe(1);
        subscriber.expect_end_of_table(1);
    }
    let table = routes(1, 0..100, 1);
    publisher.announce_all(&table);
    for subscriber in &mut subscribers {
        subscriber.expect_view(&table);
    }
    publisher.withdraw_all(&table[50..]);
    for subscriber in &mut subscribers {
        subscriber.expect_view(&table[..50]);
    }
    let mut bad = Client::establish(address);
    bad.write(&[9; 8]);
    bad.expect_closed();
    eventually("exact counters", || {
        let Counters { total, shards, .. } = counters(&reflector);
        shards.len() == 2
            && total.received == (ByAction { adds: 100, removes: 50 })
            && total.sent == (ByAction { adds: 300, removes: 150 })
            && (total.stats.sessions, total.stats.established) == (5, 5)
            && total.invalid.values().sum::<u64>() == 1
            && (total.now.established, total.now.subscriptions, total.now.routes) == (4, 3, 50)
            && total.dumps.count() == 3
            && total.propagation.count() == total.stats.batches
            && total.propagation.count() > 0
    });
    let total = counters(&reflector).total;
    assert!(total.turns.count() > 0);
    assert!(total.propagation.quantile(0.5).is_some());
    #[cfg(target_os = "linux")]
    assert!(total.busy > Duration::ZERO);
}

fn an_operator_resets_a_session(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    let id = id_of(&inspector, &one);
    assert_eq!(ask(inspector.close_peer(id)), Ok(true));
    one.expect_closed();
    assert_eq!(ask(inspector.close_peer(id)), Ok(false));
    assert_eq!(closed_by(&reflector, "reset"), 1);
    two.keepalive();
    Client::establish(address).keepalive();
}

fn draining_ends_sessions_at_its_rate_and_takes_no_new_ones(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut clients: Vec<_> = (0..6).map(|_| Client::establish(address)).collect();
    let began = std::time::Instant::now();
    inspector.drain(NonZeroU32::new(20).unwrap());
    assert!(inspector.is_draining() && !inspector.is_ready());
    for client in &mut clients {
        client.expect_closed();
    }
    assert!(began.elapsed() >= Duration::from_millis(240), "{:?}", began.elapsed());
    assert_eq!(closed_by(&reflector, "draining"), 6);
    let mut late = Client::connect(address);
    assert!(!late.try_to_shake_hands());
    assert_eq!(counters(&reflector).refused.draining, 1);
    inspector.undrain();
    assert!(inspector.is_ready());
    Client::connect(address).shake_hands(plain_hello()).keepalive();
}

/// The next event of a monitor.
fn next(monitor: &mut Monitor) -> MonitorEvent {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let event = ask(async { tokio::time::timeout_at(deadline, monitor.next()).await });
    event.expect("an event in time").expect("a running reflector")
}

fn a_monitor_sees_routes_and_sessions(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut monitor = ask(inspector.monitor(MonitorFilter::Vni(Vni(1)))).unwrap();
    let mut client = Client::establish(address);
    let MonitorEvent::Established { peer, remote, node, .. } = next(&mut monitor) else {
        panic!("a session is established first")
    };
    assert_eq!((remote, &*node), (client.local_addr(), "test-node"));
    client.announce(&route(2, 1, 1));
    client.announce(&route(1, 1, 1));
    let MonitorEvent::Added { route: added, announcer } = next(&mut monitor) else {
        panic!("an ADD")
    };
    assert_eq!((added.destination, announcer), (route(1, 1, 1).destination, Some(peer)));
    client.withdraw(&route(1, 1, 1));
    let MonitorEvent::Withdrawn { route: gone, announcer } = next(&mut monitor) else {
        panic!("a REMOVE")
    };
    assert_eq!((gone.destination, announcer), (route(1, 1, 1).destination, Some(peer)));
    assert_eq!(ask(inspector.close_peer(peer)), Ok(true));
    let MonitorEvent::Closed { peer: closed, reason, .. } = next(&mut monitor) else {
        panic!("an end")
    };
    assert_eq!((closed, reason), (peer, CloseReason::Reset));
    assert_eq!(monitor.try_next(), None);
}

fn a_monitor_that_is_not_read_counts_what_it_missed(config: ReflectorConfig) {
    let (reflector, address) = start(&config);
    let inspector = reflector.inspector();
    let mut monitor = ask(inspector.monitor(MonitorFilter::All)).unwrap();
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    subscriber.subscribe(1);
    subscriber.expect_end_of_table(1);
    let toggled = route(1, 1, 1);
    let rounds = 400;
    for _ in 0..rounds {
        publisher.announce(&toggled);
        subscriber.expect_view([&toggled]);
        publisher.withdraw(&toggled);
        subscriber.expect_view([]);
    }
    let (mut routes, mut missed) = (0, 0);
    eventually("every change, or that it was missed", || {
        while let Some(event) = monitor.try_next() {
            match event {
                MonitorEvent::Added { .. } | MonitorEvent::Withdrawn { .. } => routes += 1,
                MonitorEvent::Missed(events) => missed += events,
                _ => {}
            }
        }
        routes + missed == 2 * rounds
    });
    assert!(missed > 0);
    drop(monitor);
    publisher.announce(&toggled);
    subscriber.expect_view([&toggled]);
}

fn a_stopped_reflector_answers_nothing_more(config: ReflectorConfig) {
    let (reflector, _) = start(&config);
    let inspector = reflector.inspector();
    let mut monitor = ask(inspector.monitor(MonitorFilter::All)).unwrap();
    Reflector::stop(reflector);
    assert_eq!(ask(inspector.counters()), Err(InspectError::Stopped));
    assert_eq!(ask(inspector.peers(Cursor::default(), 1)), Err(InspectError::Stopped));
    assert!(ask(inspector.monitor(MonitorFilter::All)).is_err());
    assert!(!inspector.is_ready());
    assert_eq!(ask(monitor.next()), None);
}
