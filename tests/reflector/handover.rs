//! A reflector that is asked to hand over while it cannot.

use metalbond::handover::{self, Offer, Started};
use support::tls::Folder;

use crate::harness::{
    Client, ReflectorConfig, Standstill, counters, eventually, on_each_io, routes,
};

on_each_io!(a_handover_waits_for_a_shard_that_stands_still_only_for_a_while);

/// Sessions go on when the shard does.
fn a_handover_waits_for_a_shard_that_stands_still_only_for_a_while(config: ReflectorConfig) {
    let folder = Folder::default();
    let config = ReflectorConfig { control: Some(folder.path().join("control.sock")), ..config };
    let Started { reflector, listener, .. } = handover::start(&config, false).unwrap();
    let offer = Offer::begin(&reflector, listener.unwrap()).unwrap();
    let address = reflector.listen_addr();
    let mut client = Client::establish(address);
    let standstill = Standstill::begin(address);
    let said = handover::start(&config, true).unwrap_err().to_string();
    assert!(said.contains("a shard did not let its sessions go within"), "{said}");
    drop(standstill);
    client.keepalive();
    client.announce_all(&routes(1, 0..1, 1));
    eventually("a route", || counters(&reflector).total.now.routes == 1);
    assert_eq!(offer.stop(), None);
}
