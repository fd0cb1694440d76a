//! What the codec costs: per message, and per update of a full read buffer.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use metalbond::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, NextHopType, Update,
    Vni, decode_update, encode_update, split,
};

/// The usual update: IPv4 over IPv6, 38 bytes.
fn usual() -> Update {
    Update {
        action: Action::Add,
        vni: Vni(200_000),
        destination: Destination::new([10, 1, 2, 0].into(), 24).expect("24 bits"),
        next_hop: NextHop::standard([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
    }
}

/// All fields set: IPv6 over IPv6 with NAT, withdrawn.
fn full() -> Update {
    let address = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into();
    Update {
        action: Action::Remove,
        vni: Vni(200_000),
        destination: Destination::new([0xfd00, 0, 0, 0, 0, 0, 0, 9].into(), 128).expect("128 bits"),
        next_hop: NextHop::new(address, 100, NextHopType::Nat, 1024, 2047).expect("a range"),
    }
}

fn frame_of(message: &Message) -> Vec<u8> {
    let mut frame = Vec::new();
    message.encode_into(&mut frame);
    frame
}

fn messages() -> Vec<(&'static str, Message)> {
    let capabilities = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    let extensions = Extensions::new(capabilities, "metalbond/0.1.0", "node-17.rack-4");
    let hello = Hello { keepalive_interval: 5, is_server: false, extensions: Some(extensions) };
    vec![
        ("hello", Message::Hello(hello)),
        ("keepalive", Message::Keepalive),
        ("subscribe", Message::Subscribe(Vni(200_000))),
        ("unsubscribe", Message::Unsubscribe(Vni(200_000))),
        ("end_of_table", Message::EndOfTable(Vni(200_000))),
    ]
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    for (name, update) in [("update", usual()), ("update_full", full())] {
        let frame = frame_of(&Message::Update(update));
        let payload = &frame[4..];
        group.bench_function(name, |b| b.iter(|| decode_update(black_box(payload))));
    }
    for (name, message) in messages() {
        let bytes = frame_of(&message);
        let frame = split(&bytes).expect("valid").expect("whole");
        group.bench_function(name, |b| b.iter(|| Message::decode(black_box(&frame))));
    }
    group.finish();
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    for (name, update) in [("update", usual()), ("update_full", full())] {
        let mut out = Vec::with_capacity(128);
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                let u = black_box(&update);
                encode_update(&mut out, u.action, u.vni, &u.destination, &u.next_hop);
                black_box(&out);
            });
        });
    }
    for (name, message) in messages() {
        let mut out = Vec::with_capacity(128);
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

/// A read buffer full of different updates, split and decoded.
fn stream(c: &mut Criterion) {
    let mut buf = Vec::with_capacity(64 << 10);
    let mut updates = 0;
    for n in 0_u32.. {
        let base = usual();
        let destination =
            Destination::new((0x0a00_0000 + n * 256).to_be_bytes().into(), 24).expect("24 bits");
        let frame = frame_of(&Message::Update(Update { destination, ..base }));
        if buf.len() + frame.len() > 64 << 10 {
            break;
        }
        buf.extend_from_slice(&frame);
        updates += 1;
    }
    let mut group = c.benchmark_group("split");
    group.throughput(Throughput::Elements(updates));
    group.bench_function("64KiB", |b| {
        b.iter_batched(
            || &buf[..],
            |mut rest| {
                while let Some(frame) = split(rest).expect("valid") {
                    rest = &rest[frame.len()..];
                    black_box(Message::decode(&frame)).expect("valid");
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decode, encode, stream);
criterion_main!(benches);
