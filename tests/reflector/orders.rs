//! What waits between the acceptor and a shard that stands still.

use std::net::SocketAddr;

use metalbond::reflector::{Access, AccessList, Prefix};
use metalbond::wire::Message;

use crate::harness::client::{encode, modern_hello};
use crate::harness::{
    Client, ReflectorConfig, Standstill, closed_by, eventually, on_each_io, peers, start,
};

on_each_io!(
    the_acceptor_waits_when_a_shard_has_1024_connections_to_take,
    of_settings_that_wait_for_the_acceptor_the_newest_holds,
);

/// Orders of a shard that wait, and the one that the acceptor has in hand.
const ACCEPTED: usize = 1024 + 1;

/// More clients than a shard that stands still is handed; each has said HELLO.
fn crowd(address: SocketAddr, more: usize) -> Vec<Client> {
    let connect = |_| {
        let mut client = Client::connect(address);
        client.spoke(modern_hello());
        client.write(&encode(&[Message::Hello(modern_hello()), Message::Keepalive]));
        client
    };
    (0..ACCEPTED + more).map(connect).collect()
}

/// Connections that wait to be accepted, as the kernel counts them.
fn waiting(address: SocketAddr) -> usize {
    let port = format!(":{:04X}", address.port());
    let sockets = std::fs::read_to_string("/proc/net/tcp6").unwrap();
    let listener = sockets.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
        (local.ends_with(&port) && state == "0A").then(|| fields.next().unwrap())
    });
    let (_, receives) = listener.unwrap().split_once(':').unwrap();
    usize::from_str_radix(receives, 16).unwrap()
}

fn on_one_shard(mut config: ReflectorConfig) -> ReflectorConfig {
    metalbond::io::raise_nofile().unwrap();
    config.shards = Some(1);
    config.max_peers = 4096;
    config
}

fn the_acceptor_waits_when_a_shard_has_1024_connections_to_take(config: ReflectorConfig) {
    let (_reflector, address) = start(&on_one_shard(config));
    let standstill = Standstill::begin(address);
    let mut clients = crowd(address, 300);
    eventually("the acceptor waits", || waiting(address) == 300);
    drop(standstill);
    for client in &mut clients {
        client.until("a session", |client| client.keepalives > 0);
    }
    assert_eq!(waiting(address), 0);
}

fn of_settings_that_wait_for_the_acceptor_the_newest_holds(config: ReflectorConfig) {
    let config = on_one_shard(config);
    let (reflector, address) = start(&config);
    let standstill = Standstill::begin(address);
    let mut clients = crowd(address, 10);
    eventually("the acceptor waits", || waiting(address) == 10);
    let list = AccessList::new([], ["::1".parse::<Prefix>().unwrap()]);
    let access = Access { list, ..Access::default() };
    reflector.reload(&ReflectorConfig { access, ..config.clone() }).unwrap();
    reflector.reload(&config).unwrap();
    drop(standstill);
    for client in &mut clients {
        client.until("a session", |client| client.keepalives > 0);
        client.keepalive();
    }
    assert_eq!(closed_by(&reflector, "denied") + reflector.refused().denied, 0);
    assert!(peers(&reflector) >= clients.len() as u64);
}
