//! Pages, lookups and counters.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scene::{Scene, VNI, destination, hop, nowhere};
use crate::ids::PeerId;
use crate::session::CloseReason;
use crate::shard::inspect::{
    ByAction, Cursor, Lookup, Metrics, MonitorFilter, RouteFilter, SessionState, SubscriptionState,
};
use crate::wire::{Action, Destination, Vni};

fn prefix(n: u32) -> String {
    let [_, b, c, d] = n.to_be_bytes();
    format!("10.{b}.{c}.{d}/32")
}

fn longest(scene: &Scene, address: &str) -> Vec<String> {
    let what = Lookup::Longest(address.parse().unwrap());
    let found = scene.shard.inspect().lookup(scene.now, VNI, what);
    found.iter().map(|row| row.destination.to_string()).collect()
}

/// Lists page by page while routes come and go; `page` lists one page from a place on, and returns where the
/// next begins. Rows that stay must be listed once.
fn list_amid_changes(page: impl Fn(&Scene, u32) -> (Vec<Destination>, Option<u32>)) {
    let mut scene = Scene::new();
    let publisher = scene.establish(1);
    for n in 0..200 {
        scene.announce(publisher, &prefix(n));
    }
    scene.read_all();
    let (mut seen, mut from, mut step) = (Vec::new(), Some(0), 0);
    while let Some(place) = from {
        let (rows, next) = page(&scene, place);
        assert!(rows.len() <= 7);
        seen.extend(rows);
        from = next;
        scene.withdraw(publisher, &prefix(100 + step));
        scene.announce(publisher, &prefix(1000 + step));
        scene.read_all();
        step += 1;
    }
    for n in 0..100 {
        let wanted = destination(&prefix(n));
        assert_eq!(seen.iter().filter(|seen| **seen == wanted).count(), 1, "{wanted}");
    }
}

#[test]
fn routes_that_stay_are_listed_once_while_others_come_and_go() {
    list_amid_changes(|scene, place| {
        let page = scene.shard.inspect().routes(scene.now, VNI, &RouteFilter::default(), place, 7);
        let rows = page.rows.iter().map(|row| row.destination).collect();
        (rows, page.next.map(|next| next.place))
    });
}

#[test]
fn destinations_are_listed_with_what_is_announced_while_others_come_and_go() {
    list_amid_changes(|scene, place| {
        let page = scene.shard.inspect().destinations(VNI, place, 7);
        assert!(page.rows.iter().all(|row| row.next_hops.len() == 1), "no tombstones");
        let rows = page.rows.iter().map(|row| row.destination).collect();
        (rows, page.next.map(|next| next.place))
    });
}

#[test]
fn filters_leave_out_what_does_not_match() {
    let mut scene = Scene::new();
    let (one, two) = (scene.establish(1), scene.establish(2));
    for n in [1, 2, 0x0001_0001] {
        scene.announce(one, &prefix(n));
    }
    scene.announce(two, &prefix(2));
    scene.read_all();
    let list = |filter| {
        let page = scene.shard.inspect().routes(scene.now, VNI, &filter, 0, 100);
        page.rows.iter().map(|row| row.destination.to_string()).collect::<Vec<_>>()
    };
    let within = Some(destination("10.0.0.0/16"));
    assert_eq!(list(RouteFilter { within, ..RouteFilter::default() }).len(), 2);
    let announcer = Some(PeerId(2));
    assert_eq!(list(RouteFilter { announcer, ..RouteFilter::default() }), ["10.0.0.2/32"]);
    let announcer = Some(PeerId(3));
    assert!(list(RouteFilter { announcer, ..RouteFilter::default() }).is_empty());
    let next_hop = Some(hop(9).address());
    assert!(list(RouteFilter { next_hop, ..RouteFilter::default() }).is_empty());
}

#[test]
fn a_lookup_finds_the_longest_prefix_and_all_its_routes() {
    let mut scene = Scene::new();
    let publisher = scene.establish(1);
    for prefix in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "fd00::/8"] {
        scene.announce(publisher, prefix);
    }
    scene.read_all();
    assert_eq!(longest(&scene, "10.1.2.3"), ["10.1.2.3/32"]);
    assert_eq!(longest(&scene, "10.1.2.4"), ["10.1.0.0/16"]);
    assert_eq!(longest(&scene, "10.2.0.1"), ["10.0.0.0/8"]);
    assert_eq!(longest(&scene, "192.0.2.1"), ["0.0.0.0/0"]);
    assert_eq!(longest(&scene, "fd00::1"), ["fd00::/8"]);
    assert!(longest(&scene, "2001:db8::1").is_empty());
    scene.withdraw(publisher, "10.1.2.3/32");
    assert_eq!(longest(&scene, "10.1.2.3"), ["10.1.0.0/16"]);
}

#[test]
fn a_route_lists_its_announcers_with_the_primary_first() {
    let mut scene = Scene::new();
    let (one, two) = (scene.establish(1), scene.establish(2));
    scene.announce(two, "10.0.0.1/32");
    scene.announce(one, "10.0.0.1/32");
    scene.read_all();
    let what = Lookup::Exact(destination("10.0.0.1/32"));
    let [row] = &scene.shard.inspect().lookup(scene.now, VNI, what)[..] else {
        panic!("one route")
    };
    assert_eq!((row.announcers.as_slice(), row.announcer_count), (&[PeerId(2), PeerId(1)][..], 2));
}

#[test]
fn the_age_of_a_route_is_known_to_the_second() {
    let mut scene = Scene::new();
    let publisher = scene.establish(1);
    scene.announce(publisher, "10.0.0.1/32");
    scene.read_all();
    scene.now = scene.now + Duration::from_secs(5);
    scene.say(publisher, &crate::wire::Message::Keepalive);
    scene.announce(publisher, "10.0.0.2/32");
    scene.read_all();
    let age = |prefix: &str| {
        let what = Lookup::Exact(destination(prefix));
        scene.shard.inspect().lookup(scene.now, VNI, what)[0].age.as_millis()
    };
    assert!((4200..5300).contains(&age("10.0.0.1/32")), "{}", age("10.0.0.1/32"));
    assert!(age("10.0.0.2/32") < 200, "{}", age("10.0.0.2/32"));
}

#[test]
fn peers_are_described_by_what_they_said_and_did() {
    let mut scene = Scene::new();
    let (reader, publisher) = (scene.establish(7), scene.establish(8));
    scene.subscribe(reader);
    scene.announce(publisher, "10.0.0.1/32");
    scene.read_all();
    let peer = |id| scene.shard.inspect().peer(scene.now, PeerId(id), &nowhere).unwrap();
    let (reader, publisher) = (peer(7), peer(8));
    assert_eq!(reader.state, SessionState::Established);
    assert_eq!((&*reader.node, &*reader.agent), ("node-7", "test"));
    assert_eq!(reader.keepalive, Some(Duration::from_secs(4)));
    assert_eq!((reader.subscriptions, reader.behind, reader.is_slow), (1, 0, false));
    assert_eq!(reader.updates_sent, ByAction { adds: 1, removes: 0 });
    assert_eq!((publisher.routes, publisher.updates_received), (1, 1));
    assert_eq!((reader.backlog, reader.writing_for), (0, None));
    assert!(scene.shard.inspect().peer(scene.now, PeerId(9), &nowhere).is_none());
    let page = scene.shard.inspect().peers(scene.now, 0, 1, &nowhere);
    assert_eq!((page.rows.len(), page.next.map(|next| next.place)), (1, Some(1)));
}

#[test]
fn parts_and_subscriptions_are_listed_slice_by_slice() {
    let mut scene = Scene::new();
    let publisher = scene.establish(1);
    let readers: Vec<_> = (2..12).map(|id| scene.establish(id)).collect();
    for &reader in &readers {
        scene.subscribe(reader);
    }
    for vni in 20..30 {
        scene.update(publisher, Action::Add, Vni(vni), "10.0.0.1/32");
    }
    scene.read_all();
    let first = scene.shard.inspect().vnis_of(PeerId(1), Vni(0), 4);
    assert_eq!(first, [20, 21, 22, 23].map(Vni));
    assert_eq!(scene.shard.inspect().vnis_of(PeerId(1), Vni(24), 10).len(), 6);
    let parts = scene.shard.inspect().parts(PeerId(1), &first);
    assert!(parts.iter().all(|part| part.routes == 1 && part.subscription.is_none()));
    let (mut peers, mut from) = (BTreeSet::new(), Some(Cursor::default()));
    while let Some(cursor) = from {
        let page = scene.shard.inspect().subscriptions(None, cursor, 3);
        assert!(page.rows.iter().all(|row| row.state == SubscriptionState::InSync));
        assert!(page.rows.iter().all(|row| peers.insert(row.peer)), "listed once");
        from = page.next;
    }
    assert_eq!(peers.len(), 10);
    assert_eq!(
        scene.shard.inspect().subscriptions(Some(VNI), Cursor::default(), 100).rows.len(),
        10
    );
    assert!(
        scene.shard.inspect().subscriptions(Some(Vni(99)), Cursor::default(), 9).rows.is_empty()
    );
}

#[test]
fn updates_are_counted_for_whom_they_were_sent_to() {
    let mut scene = Scene::new();
    let (one, two, three) = (scene.establish(1), scene.establish(2), scene.establish(3));
    for slot in [one, two, three] {
        scene.subscribe(slot);
    }
    scene.read_all();
    for n in 0..10 {
        scene.announce(one, &prefix(n)); // two and three get it
    }
    scene.announce(two, &prefix(100)); // one and three get it
    scene.read_all();
    scene.announce(two, &prefix(0)); // one gets the copy
    scene.read_all();
    scene.withdraw(one, &prefix(1)); // two and three lose it
    scene.announce(one, &prefix(50));
    scene.withdraw(one, &prefix(50)); // coalesced
    scene.read_all();
    let metrics = scene.shard.metrics();
    assert_eq!(metrics.received, ByAction { adds: 13, removes: 2 });
    assert_eq!(metrics.sent, ByAction { adds: 23, removes: 2 });
    assert_eq!(metrics.coalesced, 1);
    assert_eq!(metrics.dumps.count(), 3);
    assert_eq!(metrics.propagation.count(), metrics.stats.batches);
    assert_eq!((metrics.now.routes, metrics.now.vnis), (10, 1));
}

#[test]
fn what_there_is_is_counted_before_a_turn_has_seen_it() {
    let mut scene = Scene::new();
    let (publisher, reader) = (scene.establish(1), scene.establish(2));
    scene.shard.connect(scene.now, PeerId(3), None);
    scene.announce(publisher, &prefix(1));
    scene.announce(publisher, &prefix(2));
    scene.withdraw(publisher, &prefix(2));
    scene.subscribe(reader);
    let Metrics { now, coalesced, .. } = scene.shard.metrics();
    assert_eq!((now.connecting, now.established, now.subscriptions), (1, 2, 1));
    assert_eq!((now.vnis, now.routes, now.tombstones, coalesced), (1, 1, 1, 1));
    scene.read_all();
    let Metrics { now, coalesced, .. } = scene.shard.metrics();
    assert_eq!((now.routes, coalesced), (1, 1), "counted once");
    scene.shard.close(reader, CloseReason::Reset);
    let now = scene.shard.metrics().now;
    assert_eq!((now.connecting, now.established, now.subscriptions), (1, 1, 0));
}

#[test]
fn ends_of_sessions_are_counted_by_what_was_wrong() {
    let mut scene = Scene::new();
    let bad = scene.establish(1);
    scene.establish(2);
    scene.shard.received(scene.now, bad, &[9, 9, 9, 9]);
    assert!(scene.shard.reset(PeerId(2), CloseReason::Reset));
    assert!(!scene.shard.reset(PeerId(2), CloseReason::Reset));
    let metrics = scene.shard.metrics();
    assert_eq!(metrics.invalid.values().sum::<u64>(), 1);
    assert_eq!(metrics.closed.get("reset"), Some(&1));
}

#[test]
fn a_monitored_vni_is_sealed_for_the_monitor_alone() {
    let mut scene = Scene::new();
    let (one, two) = (scene.establish(1), scene.establish(2));
    scene.announce(one, "10.0.0.1/32");
    scene.read_all();
    assert!(scene.shard.take_monitored().is_empty());
    scene.shard.add_monitor(MonitorFilter::Vni(VNI));
    scene.announce(one, "10.0.0.2/32");
    scene.announce(two, "10.0.0.2/32");
    scene.announce(two, "10.0.0.3/32");
    scene.update(two, Action::Add, Vni(99), "10.0.0.3/32");
    scene.read_all();
    let monitored = scene.shard.take_monitored();
    assert_eq!(monitored.iter().map(|monitored| monitored.updates).sum::<u64>(), 2);
    let own: Vec<_> =
        monitored.iter().flat_map(|monitored| &monitored.own).map(|(_, who)| *who).collect();
    assert_eq!(own, [PeerId(2)], "several announce the other");
    scene.shard.remove_monitor(MonitorFilter::Vni(VNI));
    scene.withdraw(two, "10.0.0.3/32");
    scene.read_all();
    assert!(scene.shard.take_monitored().is_empty());
}
