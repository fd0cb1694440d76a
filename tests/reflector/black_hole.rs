//! Paths that swallow large packets, so that sessions flap: both sides say so.

use std::time::Duration;

use metalbond::client::{self, MetalBond, SessionError};
use metalbond::reflector::inspect::PeerInfo;
use metalbond::wire::Message;

use crate::harness::ethernet::Ethernet;
use crate::harness::{Client, Reflector, ReflectorConfig, ask, eventually, on_each_io, routes};

on_each_io!(a_reflector_says_that_large_packets_do_not_arrive, a_leaf_says_so_too);

fn peer(reflector: &Reflector, client: &Client) -> PeerInfo {
    let name = client.local_addr().to_string();
    ask(reflector.inspector().find_peer(&name)).unwrap().remove(0)
}

fn a_reflector_says_that_large_packets_do_not_arrive(config: ReflectorConfig) {
    let Some(ethernet) = Ethernet::new() else { return };
    let (reflector, address) = ethernet.start(config);
    let (mut publisher, all) = ethernet.publish(address, 1000);
    let Some(hole) = ethernet.swallow_at_client() else { return };
    let mut far = ethernet.at_client(|| Client::establish(address));
    far.subscribe(1);
    eventually("the table is lost", || {
        far.send(&Message::Keepalive);
        peer(&reflector, &far).loses_large_packets
    });
    assert!(peer(&reflector, &far).is_slow);
    publisher.subscribe(1);
    publisher.expect_end_of_table(1);
    assert!(!peer(&reflector, &publisher).loses_large_packets);
    // The path is mended.
    drop(hole);
    far.expect_view(&all);
    eventually("it is all right", || !peer(&reflector, &far).loses_large_packets);
}

fn a_leaf_says_so_too(config: ReflectorConfig) {
    let Some(ethernet) = Ethernet::new() else { return };
    let (_reflector, address) = ethernet.start(config);
    let Some(_hole) = ethernet.swallow_at_reflector() else { return };
    let error = ethernet.at_client(|| {
        ask(async {
            let keepalive = 2;
            let leaf =
                MetalBond::start(client::LeafConfig { keepalive, ..client::LeafConfig::default() });
            for route in routes(1, 0..1000, 1) {
                leaf.announce_route(route.vni, route.destination, route.next_hop).await.unwrap();
            }
            leaf.add_peer(address.to_string(), None).await.unwrap();
            loop {
                let status = leaf.peer_state(address.to_string()).await.unwrap();
                if let Some(error) = status.last_error {
                    return error;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    });
    assert!(matches!(error, SessionError::LargePacketsLost(_)), "{error}");
    assert!(error.to_string().contains("large packets do not reach the server"), "{error}");
}
