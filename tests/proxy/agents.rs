//! Agents come, go, and are slow.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use metalbond::wire::{Hello, Message};
use support::client::encode;

use crate::harness::{Client, Elsewhere, GoClient, World, routes};

/// A reflector that shakes hands and then reads nothing.
struct Stuck {
    listener: TcpListener,
    address: SocketAddr,
}

impl Stuck {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    fn take_session(&self) -> TcpStream {
        let (mut socket, _) = self.listener.accept().unwrap();
        let hello = Hello { keepalive_interval: 60, is_server: true, extensions: None };
        let hello = encode(&[Message::Hello(hello), Message::Keepalive]);
        // Its HELLO has come.
        assert!(socket.read(&mut [0; 4]).unwrap() > 0);
        socket.write_all(&hello).unwrap();
        socket
    }
}

#[test]
fn what_an_agent_announced_is_withdrawn_when_it_ends() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let mut agent = GoClient::establish(world.address, 1);
    let ours = routes(1, 0..5000, 2);
    for _ in 0..3 {
        agent.announce_all(&ours);
        elsewhere.expect_view(&ours);
        drop(agent);
        elsewhere.expect_view(&[]);
        agent = GoClient::establish(world.address, 1);
    }
}

#[test]
fn what_an_agent_announced_is_withdrawn_when_it_unsubscribes() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let theirs = routes(1, 100..110, 1);
    elsewhere.announce_all(&theirs);
    let mut agent = Client::establish_plain(world.address);
    agent.subscribe(1);
    let ours = routes(1, 0..10, 2);
    agent.announce_all(&ours);
    agent.expect_view(&theirs);
    elsewhere.expect_view(&ours);
    agent.unsubscribe(1);
    elsewhere.expect_view(&[]);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
}

/// 50 VNIs and 50,000 routes, more than the client survives that is sent them at once.
#[test]
fn a_deployed_agent_is_sent_no_more_than_it_reads() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let all: Vec<_> = (1..=50).flat_map(|vni| routes(vni, 0..1000, 1)).collect();
    elsewhere.announce_all(&all);
    let mut agent = GoClient::establish(world.address, 1);
    (2..=50).for_each(|vni| agent.subscribe(vni));
    agent.expect_view(&all);
    elsewhere.withdraw_all(&all[25_000..]);
    agent.expect_view(&all[..25_000]);
}

#[test]
fn an_agent_that_does_not_read_holds_up_nobody() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    let all = routes(1, 0..100_000, 1);
    let mut slow = Client::establish_plain(world.address);
    slow.subscribe(1);
    let mut agent = GoClient::establish(world.address, 1);
    elsewhere.announce_all(&all);
    agent.expect_view(&all);
    elsewhere.withdraw_all(&all[1000..]);
    agent.expect_view(&all[..1000]);
    slow.expect_view(&all[..1000]);
    // It was never told of most: what it missed cancelled out.
    assert!(slow.removes() < agent.removes, "{} of {}", slow.removes(), agent.removes);
}

#[test]
fn a_reflector_that_does_not_read_holds_up_neither_agents_nor_the_others() {
    let world = World::start();
    let stuck = Stuck::start();
    let add = world.proxy().leaf().add_peer(stuck.address.to_string(), None);
    world.runtime().block_on(add).unwrap();
    let _session = stuck.take_session();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.subscribe(1);
    let mut agent = Client::establish(world.address);
    agent.subscribe(1);
    let ours = routes(1, 0..100_000, 2);
    for _ in 0..3 {
        agent.announce_all(&ours);
        agent.withdraw_all(&ours);
    }
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    world.until("told", |status| status.routes_announced == 100_000 && status.waiting == 0);
    agent.keepalive();
}
