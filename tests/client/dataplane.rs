//! What a network client is handed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use metalbond::client::{MetalBond, NetworkClient, RecordingClient, Retry, RouteError};
use metalbond::io::IoChoice;
use metalbond::wire::{Action, Message, Update, Vni};
use tokio::sync::Semaphore;

use crate::harness::server::Server;
use crate::harness::*;

on_each_io!(
    own_destinations_are_not_handed_over,
    refused_routes_are_offered_again,
    a_slow_dataplane_gets_what_differs,
    the_network_client_ends_with_the_leaf,
);

async fn own_destinations_are_not_handed_over(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let record = RecordingClient::default();
    let watcher = MetalBond::with_network_client(config(), record.clone());
    watcher.add_peer(address.to_string(), None).await.unwrap();
    watcher.subscribe(Vni(1)).await.unwrap();
    announce(&watcher, route(1, 1, 1)).await.unwrap();
    let other = leaf(address).await;
    let all = [route(1, 1, 2), target(1, 1, 2), route(1, 2, 2)];
    announce_all(&other, &all).await;
    expect_routes(&watcher, 1, &all).await;
    let visible = |record: &metalbond::client::Record| {
        record.routes.iter().copied().eq([target(1, 1, 2), route(1, 2, 2)])
    };
    within("what is not its own", record.until(visible)).await;
    withdraw(&watcher, route(1, 1, 1)).await.unwrap();
    within("the rest", record.until(|record| record.routes.len() == 3)).await;
    announce(&watcher, route(1, 1, 1)).await.unwrap();
    within("less again", record.until(visible)).await;
    assert!(record.record().faults.is_empty());
}

/// Refuses everything twice.
struct Reluctant {
    record: RecordingClient,
    calls: Arc<AtomicU32>,
}

impl NetworkClient for Reluctant {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        if self.calls.fetch_add(1, Ordering::Relaxed) < 2 {
            let error = RouteError { reason: "not now".into(), retry: Retry::Offer };
            return vec![Err(error); changes.len()];
        }
        self.record.apply(changes).await
    }
}

async fn refused_routes_are_offered_again(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (record, calls) = (RecordingClient::default(), Arc::default());
    let client = Reluctant { record: record.clone(), calls: Arc::clone(&calls) };
    let watcher = MetalBond::with_network_client(config(), client);
    watcher.subscribe(Vni(1)).await.unwrap();
    let other = leaf(address).await;
    announce(&other, route(1, 1, 1)).await.unwrap();
    watcher.add_peer(address.to_string(), None).await.unwrap();
    within("the third offer", record.until(|record| record.routes.len() == 1)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// Refuses the first batch that removes something.
struct Busy {
    record: RecordingClient,
    was_busy: bool,
}

impl NetworkClient for Busy {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        if !self.was_busy && changes.iter().any(|change| change.action == Action::Remove) {
            self.was_busy = true;
            let error = RouteError { reason: "busy".into(), retry: Retry::Offer };
            return vec![Err(error); changes.len()];
        }
        self.record.apply(changes).await
    }
}

#[test]
fn of_what_is_offered_again_removals_come_first_too() {
    alone(async {
        let server = Server::start().await;
        let record = RecordingClient::default();
        let client = Busy { record: record.clone(), was_busy: false };
        let watcher = MetalBond::with_network_client(config(), client);
        watcher.add_peer(server.address.to_string(), None).await.unwrap();
        watcher.subscribe(Vni(1)).await.unwrap();
        let mut session = server.establish().await;
        session.expect_subscribe(1).await;
        let old = route(1, 1, 9);
        session.write(&[Message::Update(old.update(Action::Add))]).await;
        within("the old next hop", record.until(|record| record.routes.contains(&old))).await;
        // The new next hop sorts before the old one.
        let moved = [old.update(Action::Remove), route(1, 1, 1).update(Action::Add)];
        session.write(&moved.map(Message::Update)).await;
        within("the move", record.until(|record| record.changes.len() == 3)).await;
        assert_eq!(record.record().changes[1..], moved);
    });
}

/// Never comes back.
struct Hanging;

impl NetworkClient for Hanging {
    async fn apply(&mut self, _: &[Update]) -> Vec<Result<(), RouteError>> {
        std::future::pending().await
    }
}

#[test]
fn a_network_client_that_hangs_does_not_hold_up_the_end() {
    alone(async {
        let server = Server::start().await;
        let leaf = MetalBond::with_network_client(config(), Hanging);
        leaf.add_peer(server.address.to_string(), None).await.unwrap();
        leaf.subscribe(Vni(1)).await.unwrap();
        let mut session = server.establish().await;
        session.expect_subscribe(1).await;
        session.write(&[Message::Update(route(1, 1, 1).update(Action::Add))]).await;
        expect_routes(&leaf, 1, &[route(1, 1, 1)]).await;
        within("the end", leaf.shutdown()).await;
    });
}

/// Makes a batch only when it is let.
struct Slow {
    record: RecordingClient,
    permits: Arc<Semaphore>,
}

impl NetworkClient for Slow {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        self.permits.acquire().await.unwrap().forget();
        self.record.apply(changes).await
    }
}

async fn a_slow_dataplane_gets_what_differs(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (record, permits) = (RecordingClient::default(), Arc::new(Semaphore::new(0)));
    let client = Slow { record: record.clone(), permits: Arc::clone(&permits) };
    let watcher = MetalBond::with_network_client(config(), client);
    watcher.add_peer(address.to_string(), None).await.unwrap();
    watcher.subscribe(Vni(1)).await.unwrap();
    let other = leaf(address).await;
    // The first change occupies it; of the others only what is left counts.
    announce(&other, route(1, 0, 1)).await.unwrap();
    expect_routes(&watcher, 1, &[route(1, 0, 1)]).await;
    for hop in 1..50 {
        announce(&other, route(1, 1, hop)).await.unwrap();
        expect_routes(&watcher, 1, &[route(1, 0, 1), route(1, 1, hop)]).await;
        withdraw(&other, route(1, 1, hop)).await.unwrap();
        expect_routes(&watcher, 1, &[route(1, 0, 1)]).await;
    }
    announce(&other, route(1, 1, 50)).await.unwrap();
    expect_routes(&watcher, 1, &[route(1, 0, 1), route(1, 1, 50)]).await;
    permits.add_permits(100);
    within("both", record.until(|record| record.routes.len() == 2)).await;
    let record = record.record();
    assert!(record.changes.iter().all(|change| change.action == Action::Add));
    assert_eq!(record.changes.len(), 2);
}

async fn the_network_client_ends_with_the_leaf(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let record = RecordingClient::default();
    let leaf = MetalBond::with_network_client(config(), record.clone());
    leaf.add_peer(address.to_string(), None).await.unwrap();
    until_established(&leaf, address).await;
    leaf.shutdown().await;
    assert!(record.record().stopped);
    // Or without a word, when nobody is left who could say it.
    let record = RecordingClient::default();
    drop(MetalBond::with_network_client(config(), record.clone()));
    within("the end", record.until(|record| record.stopped)).await;
}
