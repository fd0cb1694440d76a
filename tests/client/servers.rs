//! Several servers, of which some die, freeze or come back.

use metalbond::client::{LeafConfig, MetalBond, PeerState, RecordingClient, Route, SessionError};
use metalbond::io::IoChoice;
use metalbond::wire::{Action, Vni};

use crate::harness::proxy::{Mode, Proxy};
use crate::harness::*;

on_each_io!(
    one_of_two_servers_killed_takes_nothing_away,
    one_of_two_servers_frozen_takes_nothing_away,
    a_server_restart_with_thousands_of_routes_touches_no_dataplane,
    after_a_storm_of_reconnects_everybody_knows_everything,
    the_keepalive_interval_is_the_lower_one,
);

/// Two servers that a watcher of VNI 1 is connected to, its second by a cable. The first has told
/// all routes before the second is there, so that either alone would do.
async fn two_servers(
    io: IoChoice,
    watcher: &MetalBond,
    announcer: &MetalBond,
    all: &[Route],
) -> Proxy {
    let (first, address) = reflector(io);
    let (second, behind) = reflector(io);
    std::mem::forget([first, second]); // they end with the test's process
    announce_all(announcer, all).await;
    watcher.subscribe(Vni(1)).await.unwrap();
    let proxy = Proxy::start(Mode::To(behind)).await;
    for server in [address, proxy.address] {
        for leaf in [watcher, announcer] {
            leaf.add_peer(server.to_string(), None).await.unwrap();
        }
        expect_routes(watcher, 1, all).await;
        until_in_sync(watcher, server, 1).await;
    }
    proxy
}

async fn one_of_two_servers_killed_takes_nothing_away(io: IoChoice) {
    let record = RecordingClient::default();
    let watcher = MetalBond::with_network_client(config(), record.clone());
    let announcer = MetalBond::start(config());
    let all = routes(1, 0..1000, 1);
    let proxy = two_servers(io, &watcher, &announcer, &all).await;
    proxy.set(Mode::Cut);
    until_peer(&watcher, proxy.address, |status| status.state == PeerState::Retry).await;
    // The other is as fast as ever.
    announce(&announcer, route(1, 5000, 1)).await.unwrap();
    within("one more", record.until(|record| record.routes.len() == all.len() + 1)).await;
    let record = record.record();
    assert!(record.changes.iter().all(|change| change.action == Action::Add));
    assert_eq!(record.changes.len(), all.len() + 1);
    assert_eq!(record.faults, []);
}

async fn one_of_two_servers_frozen_takes_nothing_away(io: IoChoice) {
    let record = RecordingClient::default();
    let hasty = LeafConfig { keepalive: 1, ..config() };
    let watcher = MetalBond::with_network_client(hasty.clone(), record.clone());
    let announcer = MetalBond::start(hasty);
    let proxy = two_servers(io, &watcher, &announcer, &routes(1, 0..100, 1)).await;
    within("all", record.until(|record| record.routes.len() == 100)).await;
    proxy.set(Mode::Frozen);
    announce(&announcer, route(1, 5000, 1)).await.unwrap();
    within("one more", record.until(|record| record.routes.len() == 101)).await;
    let status =
        until_peer(&watcher, proxy.address, |status| status.state == PeerState::Retry).await;
    assert!(matches!(status.last_error, Some(SessionError::HoldTime(_))), "{status:?}");
    withdraw(&announcer, route(1, 5000, 1)).await.unwrap();
    within("one less", record.until(|record| record.routes.len() == 100)).await;
    let record = record.record();
    assert_eq!((record.faults.len(), record.changes.len()), (0, 102));
}

async fn a_server_restart_with_thousands_of_routes_touches_no_dataplane(io: IoChoice) {
    let (old, address) = reflector(io);
    let proxy = Proxy::start(Mode::To(address)).await;
    let record = RecordingClient::default();
    let watcher = MetalBond::with_network_client(config(), record.clone());
    watcher.add_peer(proxy.address.to_string(), None).await.unwrap();
    watcher.subscribe(Vni(1)).await.unwrap();
    let announcer = leaf(proxy.address).await;
    let all = routes(1, 0..5000, 1);
    announce_all(&announcer, &all).await;
    within("all", record.until(|record| record.routes.len() == all.len())).await;
    tokio::task::spawn_blocking(|| old.stop()).await.unwrap();
    until_peer(&watcher, proxy.address, |status| status.last_error.is_some()).await;
    // Meanwhile one route moves and one goes.
    withdraw(&announcer, all[0]).await.unwrap();
    withdraw(&announcer, all[1]).await.unwrap();
    announce(&announcer, route(1, 0, 7)).await.unwrap();
    let (_new, address) = reflector(io);
    proxy.set(Mode::To(address));
    within("the move", record.until(|record| record.routes.contains(&route(1, 0, 7)))).await;
    announce(&announcer, route(1, 9000, 1)).await.unwrap();
    within("the last", record.until(|record| record.routes.contains(&route(1, 9000, 1)))).await;
    let record = record.record();
    let later: Vec<_> = record.changes[all.len()..].to_vec();
    let expected = [
        all[0].update(Action::Remove),
        route(1, 0, 7).update(Action::Add),
        route(1, 9000, 1).update(Action::Add),
    ];
    assert_eq!(later.len(), expected.len(), "{later:?}");
    assert!(expected.iter().all(|change| later.contains(change)), "{later:?}");
    assert!(record.routes.contains(&all[1]), "stale, for a while");
}

async fn after_a_storm_of_reconnects_everybody_knows_everything(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let proxy = Proxy::start(Mode::To(address)).await;
    let mut leaves = Vec::new();
    let mut all = Vec::new();
    for n in 0..40 {
        let leaf = leaf(proxy.address).await;
        leaf.subscribe(Vni(1)).await.unwrap();
        let own = routes(1, n * 10..n * 10 + 10, u16::try_from(n).unwrap());
        announce_all(&leaf, &own).await;
        all.extend(own.clone());
        leaves.push((leaf, own));
    }
    for round in 0..5 {
        for (leaf, _) in &leaves {
            let wanted = |status: &metalbond::client::PeerStatus| {
                status.state == PeerState::Established && status.sessions > round
            };
            until_peer(leaf, proxy.address, wanted).await;
        }
        proxy.set(Mode::Cut);
        for (leaf, _) in &leaves {
            until_peer(leaf, proxy.address, |s| s.state == PeerState::Retry).await;
        }
        proxy.set(Mode::To(address));
    }
    for (leaf, own) in &leaves {
        let others: Vec<_> = all.iter().filter(|route| !own.contains(route)).copied().collect();
        expect_routes(leaf, 1, &others).await;
    }
}

async fn the_keepalive_interval_is_the_lower_one(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let leaf = MetalBond::start(LeafConfig { keepalive: 1, ..config() });
    leaf.add_peer(address.to_string(), None).await.unwrap();
    until_established(&leaf, address).await;
    let first = leaf.peer_state(address.to_string()).await.unwrap();
    assert_eq!(first.keepalive_interval, Some(std::time::Duration::from_secs(1)));
    // Keepalives are no change of state, so there is nothing to watch.
    within("a further keepalive", async {
        loop {
            let now = leaf.peer_state(address.to_string()).await.unwrap();
            assert_eq!(now.sessions, 1);
            if now.keepalive_received > first.keepalive_received
                && now.keepalive_sent > first.keepalive_sent
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}
