//! The time of the codec: per message, and per update of a full read buffer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench ends where it meets what it does not expect"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metalbond::wire::{
    Action, Capabilities, Destination, Extensions, Frame, Hello, MAX_FRAME, Message, NextHop,
    NextHopType, Update, Vni, split,
};

/// The bytes of one read from a connection.
const READ: usize = 64 << 10;

fn update(destination: Destination, next_hop: NextHop) -> Message {
    Message::Update(Update { action: Action::Add, vni: Vni(200_000), destination, next_hop })
}

fn underlay() -> IpAddr {
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()
}

/// The usual update: IPv4 over IPv6.
fn usual(number: u32) -> Message {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + number);
    update(Destination::new(address.into(), 32).expect("32 bits"), NextHop::standard(underlay()))
}

/// One message of each kind, with its name.
fn messages() -> Vec<(&'static str, Message)> {
    let capabilities = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    let extensions = Extensions::new(capabilities, "metalbond/0.2.0", "node-17.rack-4");
    let hello = |extensions| Hello { keepalive_interval: 5, is_server: false, extensions };
    let v6 = Destination::new([0xfd00, 0, 0, 0, 0, 0, 0, 9].into(), 128).expect("128 bits");
    let nat = NextHop::new(underlay(), 100, NextHopType::Nat, 1024, 2047).expect("a range");
    vec![
        ("hello", Message::Hello(hello(None))),
        ("hello-extended", Message::Hello(hello(Some(extensions)))),
        ("keepalive", Message::Keepalive),
        ("subscribe", Message::Subscribe(Vni(200_000))),
        ("unsubscribe", Message::Unsubscribe(Vni(200_000))),
        ("update-ipv4", usual(1)),
        ("update-ipv6", update(v6, NextHop::standard(underlay()))),
        ("update-nat", update(v6, nat)),
        ("end-of-table", Message::EndOfTable(Vni(200_000))),
    ]
}

/// From a complete frame to a value.
fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, message) in messages() {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        let frame = split(&bytes).expect("valid").expect("whole");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| Message::decode(black_box(&frame))));
    }
    group.finish();
}

/// From a value to a frame with its header, in a buffer that has room.
fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (name, message) in messages() {
        let mut out = Vec::with_capacity(MAX_FRAME);
        message.encode_into(&mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                black_box(&message).encode_into(&mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

/// A full read of different updates: finds its frames, and also decodes them.
fn stream(c: &mut Criterion) {
    let mut read = Vec::with_capacity(READ + MAX_FRAME);
    let mut updates = 0;
    let mut whole = 0;
    while read.len() <= READ {
        whole = read.len();
        usual(updates).encode_into(&mut read);
        updates += 1;
    }
    read.truncate(whole);
    let mut group = c.benchmark_group("split");
    group.throughput(Throughput::ElementsAndBytes {
        elements: u64::from(updates - 1),
        bytes: read.len() as u64,
    });
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's lifetime is not general enough"
    )]
    group.bench_function("64KiB", |b| b.iter(|| each_frame(black_box(&read), |frame| frame.len())));
    group.bench_function("64KiB-and-decode", |b| {
        b.iter(|| each_frame(black_box(&read), Message::decode));
    });
    group.finish();
}

fn each_frame<T>(mut bytes: &[u8], with: impl Fn(&Frame<'_>) -> T) {
    while let Some(frame) = split(bytes).expect("valid") {
        bytes = &bytes[frame.len()..];
        black_box(with(&frame));
    }
}

/// No bench takes a microsecond per message: a second has a million of them.
fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = all;
    config = settings();
    targets = decode, encode, stream
}
criterion_main!(all);
