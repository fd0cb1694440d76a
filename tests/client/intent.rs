//! What is wanted holds, whatever servers do.

use metalbond::client::{Error, MetalBond, PeerState};
use metalbond::io::IoChoice;
use metalbond::wire::Vni;

use crate::harness::proxy::{Mode, Proxy};
use crate::harness::*;

on_each_io!(
    routes_go_from_leaf_to_leaf_and_back,
    intent_is_told_to_a_server_that_comes_later,
    intent_changed_while_offline_is_sent_to_the_next_session,
    an_unsubscribe_leaves_the_announcements_standing,
    a_reset_peer_comes_back_at_once,
    an_embedded_server_serves_until_the_leaf_ends,
);

async fn routes_go_from_leaf_to_leaf_and_back(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    let some = [route(1, 1, 1), route(1, 2, 1), target(1, 2, 2)];
    announce_all(&a, &some).await;
    announce(&a, route(2, 1, 1)).await.unwrap();
    expect_routes(&b, 1, &some).await;
    let hops = b.next_hops(Vni(1), some[1].destination).await.unwrap();
    assert_eq!(hops, [some[1].next_hop, some[2].next_hop]);
    assert_eq!(b.next_hops(Vni(2), some[1].destination).await.unwrap(), []);
    withdraw(&a, some[1]).await.unwrap();
    expect_routes(&b, 1, &[some[0], some[2]]).await;
    let status = b.peer_state(address.to_string()).await.unwrap();
    assert_eq!((status.state, status.sessions), (PeerState::Established, 1));
    assert!(status.agent.starts_with("metalbond/"));
    assert!(status.keepalive_sent.is_some() && status.keepalive_received.is_some());
    a.shutdown().await;
    // The last server still lives, so it is believed.
    expect_routes(&b, 1, &[]).await;
}

async fn intent_is_told_to_a_server_that_comes_later(io: IoChoice) {
    let proxy = Proxy::start(Mode::Cut).await;
    let (a, b) = (leaf(proxy.address).await, leaf(proxy.address).await);
    b.subscribe(Vni(1)).await.unwrap();
    announce(&a, route(1, 1, 1)).await.unwrap();
    assert_eq!(a.announcements(Vni(1)).await.unwrap(), [route(1, 1, 1)]);
    until_peer(&a, proxy.address, |status| status.state == PeerState::Retry).await;
    let (_reflector, address) = reflector(io);
    proxy.set(Mode::To(address));
    expect_routes(&b, 1, &[route(1, 1, 1)]).await;
}

async fn intent_changed_while_offline_is_sent_to_the_next_session(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let proxy = Proxy::start(Mode::To(address)).await;
    let (a, b) = (leaf(proxy.address).await, leaf(address).await);
    for vni in 1..4 {
        b.subscribe(Vni(vni)).await.unwrap();
    }
    announce_all(&a, &[route(1, 1, 1), route(2, 1, 1)]).await;
    announce(&b, route(3, 1, 2)).await.unwrap();
    expect_routes(&b, 2, &[route(2, 1, 1)]).await;
    proxy.set(Mode::Cut);
    expect_routes(&b, 2, &[]).await;
    withdraw(&a, route(1, 1, 1)).await.unwrap();
    announce(&a, route(1, 1, 9)).await.unwrap();
    withdraw(&a, route(2, 1, 1)).await.unwrap();
    announce(&a, route(3, 1, 1)).await.unwrap();
    a.subscribe(Vni(3)).await.unwrap();
    proxy.set(Mode::To(address));
    expect_routes(&b, 1, &[route(1, 1, 9)]).await;
    expect_routes(&b, 2, &[]).await;
    expect_routes(&b, 3, &[route(3, 1, 1)]).await;
    expect_routes(&a, 3, &[route(3, 1, 2)]).await;
}

async fn an_unsubscribe_leaves_the_announcements_standing(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (a, b) = (leaf(address).await, leaf(address).await);
    for leaf in [&a, &b] {
        leaf.subscribe(Vni(1)).await.unwrap();
    }
    announce(&a, route(1, 1, 1)).await.unwrap();
    announce(&b, route(1, 2, 2)).await.unwrap();
    expect_routes(&a, 1, &[route(1, 2, 2)]).await;
    expect_routes(&b, 1, &[route(1, 1, 1)]).await;
    a.unsubscribe(Vni(1)).await.unwrap();
    assert_eq!(a.routes(Vni(1)).await.unwrap(), []);
    announce(&a, route(1, 3, 1)).await.unwrap();
    expect_routes(&b, 1, &[route(1, 1, 1), route(1, 3, 1)]).await;
    a.subscribe(Vni(1)).await.unwrap();
    expect_routes(&a, 1, &[route(1, 2, 2)]).await;
    expect_routes(&b, 1, &[route(1, 1, 1), route(1, 3, 1)]).await;
}

async fn a_reset_peer_comes_back_at_once(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let leaf = leaf(address).await;
    leaf.subscribe(Vni(1)).await.unwrap();
    until_established(&leaf, address).await;
    leaf.reset_peer(address.to_string());
    let again = |status: &metalbond::client::PeerStatus| {
        status.sessions == 2 && status.state == PeerState::Established
    };
    until_peer(&leaf, address, again).await;
    leaf.remove_peer(address.to_string()).await.unwrap();
    let gone = leaf.peer_state(address.to_string()).await;
    assert!(matches!(gone, Err(Error::UnknownPeer(_))));
    leaf.add_peer(address.to_string(), None).await.unwrap();
    until_in_sync(&leaf, address, 1).await;
}

async fn an_embedded_server_serves_until_the_leaf_ends(io: IoChoice) {
    let center = MetalBond::start(config());
    let listen = "[::1]:0".parse().unwrap();
    let server = || metalbond::reflector::ReflectorConfig {
        listen,
        io,
        shards: Some(1),
        ..metalbond::reflector::ReflectorConfig::default()
    };
    let address = center.start_server(server()).await.unwrap();
    assert!(matches!(center.start_server(server()).await, Err(Error::ServerRuns)));
    let (a, b) = (leaf(address).await, leaf(address).await);
    b.subscribe(Vni(1)).await.unwrap();
    announce(&a, route(1, 1, 1)).await.unwrap();
    expect_routes(&b, 1, &[route(1, 1, 1)]).await;
    center.shutdown().await;
    until_peer(&b, address, |status| status.state == PeerState::Retry).await;
    assert!(matches!(center.subscribe(Vni(1)).await, Err(Error::Stopped)));
}

#[test]
fn what_makes_no_sense_is_a_typed_error() {
    alone(async {
        let leaf = MetalBond::start(config());
        leaf.subscribe(Vni(1)).await.unwrap();
        let again = leaf.subscribe(Vni(1)).await;
        assert!(matches!(again, Err(Error::AlreadySubscribed(Vni(1)))));
        assert!(matches!(leaf.unsubscribe(Vni(2)).await, Err(Error::NotSubscribed(Vni(2)))));
        assert_eq!(leaf.subscribed_vnis().await.unwrap(), [Vni(1)]);
        assert!(leaf.is_subscribed(Vni(1)).await.unwrap());
        let some = route(1, 1, 1);
        announce(&leaf, some).await.unwrap();
        let again = announce(&leaf, some).await;
        assert!(matches!(again, Err(Error::AlreadyAnnounced(found)) if found == some));
        let is = leaf.is_route_announced(some.vni, some.destination, some.next_hop).await;
        assert!(is.unwrap());
        withdraw(&leaf, some).await.unwrap();
        assert!(matches!(withdraw(&leaf, some).await, Err(Error::NotAnnounced(_))));
        let nowhere = "[::1]:9";
        for nonsense in ["nonsense", ":4711", "2001:db8::1", "[::1]", "[x]:1", "rr1:0", "rr1:x"] {
            let refused = leaf.add_peer(nonsense, None).await;
            assert!(matches!(refused, Err(Error::PeerAddress(_))), "{nonsense}");
        }
        leaf.add_peer(nowhere, None).await.unwrap();
        assert!(matches!(leaf.add_peer(nowhere, None).await, Err(Error::PeerExists(_))));
        assert!(matches!(leaf.remove_peer("x:1").await, Err(Error::UnknownPeer(_))));
        for port in 1..64 {
            leaf.add_peer(format!("[::1]:{}", 10_000 + port), None).await.unwrap();
        }
        assert!(matches!(leaf.add_peer("[::1]:8", None).await, Err(Error::TooManyPeers(64))));
    });
}
