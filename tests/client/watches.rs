//! Streams of changes, for readers fast and slow.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use metalbond::client::PeerState;
use metalbond::io::IoChoice;
use metalbond::wire::{Message, Vni};

use crate::harness::proxy::{Mode, Proxy};
use crate::harness::server::Server;
use crate::harness::*;

on_each_io!(
    a_watch_begins_with_what_there_is,
    a_slow_watcher_gets_what_differs_and_no_queue,
    a_watch_survives_its_dropped_futures,
    a_watch_is_a_stream,
    in_sync_is_told_per_server_and_vni,
);

async fn a_watch_begins_with_what_there_is(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    b.subscribe(Vni(2)).await.unwrap();
    let mut empty = b.watch_routes(None).await.unwrap();
    let batch = within("the snapshot of nothing", empty.next()).await.unwrap();
    assert!(batch.changes.is_empty() && batch.caught_up);
    let (ones, twos) = (routes(1, 0..10_000, 1), routes(2, 0..10, 1));
    announce_all(&a, &ones).await;
    announce_all(&a, &twos).await;
    expect_routes(&b, 1, &ones).await;
    expect_routes(&b, 2, &twos).await;
    // The snapshot comes in pieces, and says where it ends.
    let mut watch = b.watch_routes(None).await.unwrap();
    let (mut view, mut pieces) = (BTreeSet::new(), 0);
    loop {
        let batch = within("the snapshot", watch.next()).await.unwrap();
        apply(&mut view, &batch.changes);
        pieces += 1;
        if batch.caught_up {
            break;
        }
    }
    assert_eq!((view.len(), pieces), (ones.len() + twos.len(), 3));
    let mut peers = b.watch_peers().await.unwrap();
    let all = peers.next().await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].status.as_ref().unwrap().state, PeerState::Established);
    // Who asks while the leaf ends is told how.
    let (last, ()) = tokio::join!(peers.next(), b.shutdown());
    let last = last.unwrap();
    assert_eq!(last[0].status.as_ref().unwrap().state, PeerState::Closed);
    assert_eq!(peers.next().await, None);
    assert_eq!(watch.next().await, None);
}

async fn a_slow_watcher_gets_what_differs_and_no_queue(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    let mut slow = b.watch_routes(Some(Vni(1))).await.unwrap();
    let mut view = BTreeSet::new();
    let (kept, churned) = (routes(1, 0..100, 1), routes(1, 1000..2000, 1));
    announce_all(&a, &kept).await;
    for round in 0..8 {
        let marker = route(1, 100_000, round);
        announce_all(&a, &churned).await;
        announce(&a, marker).await.unwrap();
        let mut there: Vec<_> = kept.iter().chain(&churned).copied().collect();
        there.push(marker);
        expect_routes(&b, 1, &there).await;
        for route in churned.iter().chain([&marker]) {
            withdraw(&a, *route).await.unwrap();
        }
        expect_routes(&b, 1, &kept).await;
    }
    // 16,000 changes have come and gone.
    let mut received = 0;
    loop {
        let batch = within("what differs", slow.next()).await.unwrap();
        received += batch.changes.len();
        apply(&mut view, &batch.changes);
        if batch.caught_up {
            break;
        }
    }
    assert_eq!((view, received), (kept.into_iter().collect(), 100));
}

async fn a_watch_survives_its_dropped_futures(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    let mut watch = b.watch_routes(Some(Vni(1))).await.unwrap();
    let mut view = BTreeSet::new();
    let all = routes(1, 0..500, 1);
    for route in &all {
        announce(&a, *route).await.unwrap();
        // Dropped at once, unless an answer is there already.
        tokio::select! {
            biased;
            batch = watch.next() => apply(&mut view, &batch.unwrap().changes),
            () = std::future::ready(()) => {}
        }
    }
    within("the rest", async {
        while view.len() < all.len() {
            apply(&mut view, &watch.next().await.unwrap().changes);
        }
    })
    .await;
}

async fn a_watch_is_a_stream(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    let all = routes(1, 0..10_000, 1);
    announce_all(&a, &all).await;
    expect_routes(&b, 1, &all).await;
    let whole = b.watch_routes(Some(Vni(1))).await.unwrap();
    let whole = whole.take_while(|batch| std::future::ready(!batch.caught_up));
    let pieces: Vec<_> = within("all but the last piece", whole.collect()).await;
    assert_eq!(pieces.len(), 2);
    let mut peers = b.watch_peers().await.unwrap();
    let states = within("the states", StreamExt::next(&mut peers)).await.unwrap();
    assert_eq!(states.len(), 1);
    // It ends with the leaf.
    let (rest, ()) = tokio::join!(peers.collect::<Vec<_>>(), b.shutdown());
    assert_eq!(rest.concat().last().unwrap().status.as_ref().unwrap().state, PeerState::Closed);
}

async fn in_sync_is_told_per_server_and_vni(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let proxy = Proxy::start(Mode::To(address)).await;
    let leaf = leaf(proxy.address).await;
    leaf.subscribe(Vni(1)).await.unwrap();
    let mut watch = leaf.watch_sync().await.unwrap();
    let mut next = async || {
        let mut changes = within("a change", watch.next()).await.unwrap();
        let change = changes.pop().unwrap();
        assert!(changes.is_empty());
        assert_eq!(change.peer, proxy.address.to_string());
        (change.vni.0, change.in_sync)
    };
    assert_eq!(next().await, (1, true));
    leaf.subscribe(Vni(2)).await.unwrap();
    assert_eq!(next().await, (2, true));
    leaf.unsubscribe(Vni(1)).await.unwrap();
    assert_eq!(next().await, (1, false));
    proxy.set(Mode::Cut);
    assert_eq!(next().await, (2, false));
    proxy.set(Mode::To(address));
    assert_eq!(next().await, (2, true));
}

#[test]
fn a_server_that_knows_no_end_of_table_is_in_sync_after_two_quiet_seconds() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        leaf.subscribe(Vni(1)).await.unwrap();
        let mut session = server.establish().await;
        session.expect_subscribe(1).await;
        let began = std::time::Instant::now();
        let add = metalbond::wire::Action::Add;
        session.write(&[Message::Update(route(1, 1, 1).update(add))]).await;
        until_in_sync(&leaf, server.address, 1).await;
        assert!(began.elapsed() >= std::time::Duration::from_secs(2));
        expect_routes(&leaf, 1, &[route(1, 1, 1)]).await;
    });
}
