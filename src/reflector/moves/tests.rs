//! Connections arrive on a shard's thread, with the sockets of real clients.

use std::fs::File;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use bytes::Bytes;
use support::client::{self, Client};
use tokio::sync::mpsc::{Sender, channel, unbounded_channel};

use crate::config::ReflectorConfig;
use crate::diary::Diary;
use crate::ids::{Moment, PeerId, ShardId};
use crate::io::Backend;
use crate::reflector::acceptor::Rules;
use crate::reflector::driver::{self, Seed};
use crate::reflector::mesh::{self, Inlet};
use crate::shard::moves::{MoveCommand, MoveOrder};
use crate::shard::{Layout, Output, Shard, ShardConfig, Traveller};
use crate::threads::{Gauge, Lobby, Mover, Service, ShardOrder};
use crate::wire::{Capabilities, Extensions, Hello, Message};

/// A connection that has shaken hands on a shard of its own and leaves it; its peer has not read the answer.
fn traveller(peer: PeerId) -> Traveller {
    let now = Moment(0);
    let mut shard = Shard::new(ShardId(0), 1, ShardConfig::default(), [1, 2, 3, 4], now);
    let slot = shard.connect(now, peer, None);
    let extensions = Some(Extensions::new(Capabilities::OURS, "test", "test-node"));
    let hello = Hello { keepalive_interval: 60, is_server: false, extensions };
    let mut bytes = Vec::new();
    Message::Hello(hello).encode_into(&mut bytes);
    Message::Keepalive.encode_into(&mut bytes);
    shard.received(now, slot, &bytes);
    shard.order(now, MoveOrder::Relocate { peer, to: ShardId(0), number: 1 });
    shard.turn(now);
    shard.outputs();
    while !matches!(shard.poll().expect("it leaves"), Output::Leaves(_)) {}
    shard.leave(now, slot, Bytes::new()).unwrap()
}

/// A client, and its connection at the other end.
fn client(listener: &TcpListener) -> (Client, TcpStream, SocketAddr) {
    let mut client = Client::connect(listener.local_addr().unwrap());
    client.spoke(client::modern_hello());
    let (socket, remote) = listener.accept().unwrap();
    (client, socket, remote)
}

/// A shard's thread that has these orders when it starts.
fn start(
    orders: Vec<ShardOrder>,
    diary: &Arc<Diary>,
) -> (Sender<ShardOrder>, Arc<Gauge>, std::thread::JoinHandle<()>) {
    let (sender, inlet) = channel(16);
    for order in orders {
        sender.try_send(order).unwrap();
    }
    let (answers, _) = unbounded_channel();
    let gauge = Arc::new(Gauge::default());
    gauge.connections.add(inlet.len() as u64);
    let seed = Seed {
        id: ShardId(0),
        layout: Layout::of(1),
        settings: ShardConfig::default(),
        list: Arc::default(),
        service: Arc::new(Service::default()),
        hash_seeds: [1, 2, 3, 4],
        backend: Backend::Epoll,
        began: Instant::now(),
        port: mesh::ports(1).remove(0),
        orders: Inlet::new(inlet),
        gauge: Arc::clone(&gauge),
        answers,
        diary: Arc::clone(diary),
    };
    let (ready, started) = mpsc::channel();
    let thread =
        std::thread::spawn(|| driver::run(seed, move |result| ready.send(result).unwrap()));
    started.recv().unwrap().unwrap();
    (sender, gauge, thread)
}

#[test]
fn a_connection_whose_socket_cannot_be_served_ends_alone() {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let (mut reader, to_reader, at) = client(&listener);
    let (mut writer, to_writer, from) = client(&listener);
    // The event loop refuses a file.
    let file =
        TcpStream::from(OwnedFd::from(File::open(std::env::current_exe().unwrap()).unwrap()));
    let mut rules = Rules::new(&ReflectorConfig::default(), &Arc::new(Lobby::new(10)));
    let arrivals = [(1, file, at), (2, to_reader, at), (3, to_writer, from)];
    let adopt = |(id, socket, remote)| {
        let peer = PeerId(id);
        let admission = rules.readmit(peer, remote, ShardId(0), true);
        let connection = Mover::new(traveller(peer), socket, remote, admission, None);
        ShardOrder::Move(Box::new(MoveCommand::Adopt { number: 1, connection }))
    };
    let diary = Arc::new(Diary::default());
    let (orders, gauge, thread) = start(arrivals.map(adopt).into(), &diary);
    reader.subscribe(7);
    reader.expect_end_of_table(7);
    let route = client::route(7, 1, 1);
    writer.announce(&route);
    reader.expect_view([&route]);
    writer.subscribe(8);
    writer.expect_end_of_table(8);
    assert!(writer.updates.is_empty(), "{:?}", writer.updates);
    assert_eq!(gauge.connections.get(), 2);
    let ended = diary.closed_page(None, 10, |_| true).rows;
    assert_eq!(ended.iter().map(|it| it.peer).collect::<Vec<_>>(), [PeerId(1)]);

    orders.try_send(ShardOrder::Exit(Instant::now())).unwrap();
    thread.join().unwrap();
}
