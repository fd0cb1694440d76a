//! A whole reflector on loopback: windows of 1,000 updates to 50 subscribers, each window sent when
//! all have the one before.
//!
//! Subscribers share one thread and read much at a time. That thread and the shards share the
//! machine: with few cores, part of what is measured is the reading.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use metalbond::internals_for_benches::{routes, window};
use metalbond::io::{Backend, IoChoice, LocalRuntime};
use metalbond::reflector::{Reflector, ReflectorConfig, ShardConfig};
use metalbond::wire::{Action, Capabilities, Extensions, Hello, Message, Vni, split};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::io::back_ends;

const SUBSCRIBERS: usize = 50;
const UPDATES: u32 = 1000;
const VNI: Vni = Vni(1);
/// An interval in seconds, longer than any bench.
const KEEPALIVE: u32 = 3600;
/// The most bytes that a subscriber reads at a time.
const READ_MAX: usize = 256 << 10;
/// How long any step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("end-to-end");
    group.throughput(Throughput::Elements(SUBSCRIBERS as u64 * u64::from(UPDATES)));
    for (choice, _) in back_ends("end-to-end") {
        for (shards, name) in [(1, "1-shard"), (2, "2-shards")] {
            let mut scene = None;
            group.bench_function(format!("{choice}/{name}"), |b| {
                let scene = scene.get_or_insert_with(|| Scene::new(choice, shards));
                b.iter_custom(|windows| scene.run(windows));
            });
        }
    }
    group.finish();
}

/// The bytes that subscribers have read.
struct Seen {
    bytes: Cell<usize>,
    /// The number of bytes at which to notify.
    wanted: Cell<usize>,
    all: Notify,
    buffer: RefCell<Vec<u8>>,
}

/// The fields are dropped in this order: peers first, then the reflector.
struct Scene {
    runtime: LocalRuntime,
    publisher: TcpStream,
    seen: Rc<Seen>,
    /// The messages that announce all routes, and those that withdraw them; the next ones first.
    windows: [Vec<u8>; 2],
    _reflector: Reflector,
}

impl Scene {
    fn new(io: IoChoice, shards: usize) -> Self {
        let reflector = Reflector::start(&ReflectorConfig {
            listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
            shards: Some(shards),
            io,
            settings: ShardConfig { keepalive: KEEPALIVE, ..ShardConfig::default() },
            ..ReflectorConfig::default()
        });
        let reflector = reflector.expect("a reflector");
        let address = reflector.listen_addr();
        let routes = routes(UPDATES);
        let windows = [Action::Add, Action::Remove].map(|action| window(VNI, action, &routes));
        let seen = Rc::new(Seen {
            bytes: Cell::new(0),
            wanted: Cell::new(usize::MAX),
            all: Notify::new(),
            buffer: RefCell::new(vec![0; READ_MAX]),
        });
        let runtime = LocalRuntime::new(Backend::Epoll).expect("an event loop");
        let publisher = runtime.block_on(async {
            for _ in 0..SUBSCRIBERS {
                let socket =
                    connect(address, &[Message::Subscribe(VNI)], &Message::EndOfTable(VNI));
                tokio::task::spawn_local(subscriber(socket, Rc::clone(&seen)));
            }
            connect(address, &[], &Message::Keepalive)
        });
        Self { runtime, publisher, seen, windows, _reflector: reflector }
    }

    /// Sends windows; each as soon as all subscribers have read the window before.
    fn run(&mut self, windows: u64) -> Duration {
        let Self { runtime, publisher, seen, windows: next, .. } = self;
        runtime.block_on(async {
            let began = Instant::now();
            for _ in 0..windows {
                seen.bytes.set(0);
                seen.wanted.set(SUBSCRIBERS * next[0].len());
                publisher.write_all(&next[0]).await.expect("a reflector that reads");
                let all = tokio::time::timeout(PATIENCE, seen.all.notified()).await;
                all.expect("all that was announced or withdrawn");
                next.swap(0, 1);
            }
            began.elapsed()
        })
    }
}

/// Reads until the connection ends.
async fn subscriber(socket: TcpStream, seen: Rc<Seen>) {
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut seen.buffer.borrow_mut()) {
            Ok(0) => return,
            Ok(read) => seen.bytes.set(seen.bytes.get() + read),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        if seen.bytes.get() >= seen.wanted.get() {
            seen.wanted.set(usize::MAX);
            seen.all.notify_one();
        }
    }
}

/// A session on which `messages` were sent, and all messages up to `last` were received.
fn connect(address: SocketAddr, messages: &[Message], last: &Message) -> TcpStream {
    let mut socket = std::net::TcpStream::connect(address).expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let capabilities = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    let extensions = Some(Extensions::new(capabilities, "bench", "bench"));
    let hello = Hello { keepalive_interval: KEEPALIVE, is_server: false, extensions };
    let mut bytes = Vec::new();
    for message in [Message::Hello(hello), Message::Keepalive].iter().chain(messages) {
        message.encode_into(&mut bytes);
    }
    socket.write_all(&bytes).expect("a reflector that reads");
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !ends_with(&received, last) {
        let read = match socket.read(&mut buffer) {
            // A ring of this process may interrupt calls with a deadline.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            answer => answer.expect("an answer"),
        };
        assert!(read > 0, "the reflector has closed the connection");
        received.extend_from_slice(&buffer[..read]);
    }
    socket.set_nonblocking(true).expect("a socket that does not block");
    TcpStream::from_std(socket).expect("a socket")
}

/// Whether `last` is the last of some messages.
fn ends_with(mut bytes: &[u8], last: &Message) -> bool {
    while let Some(frame) = split(bytes).expect("a frame") {
        bytes = &bytes[frame.len()..];
        if bytes.is_empty() {
            return Message::decode(&frame).as_ref() == Ok(last);
        }
    }
    false
}
