//! Random values, valid encodings of them, and what is left of those after an accident.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::wire::{
    Action, Capabilities, Destination, Digest, Extensions, Hello, Installed, Message, NextHop,
    NextHopType, Report, Update, Vni,
};

/// Numbers of all varint lengths, and the edges between these.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![0, 1, 127, 128, 16_383, 16_384, 65_535, 65_536, u32::MAX]),
        (any::<u32>(), 0_u32..32).prop_map(|(n, shift)| n >> shift),
    ]
}

fn destination() -> impl Strategy<Value = Destination> {
    (any::<IpAddr>(), any::<u8>()).prop_map(|(addr, len)| {
        let max = if addr.is_ipv4() { 32 } else { 128 };
        Destination::new(addr, len % (max + 1)).unwrap()
    })
}

fn next_hop() -> impl Strategy<Value = NextHop> {
    let kind =
        select(vec![NextHopType::Standard, NextHopType::Nat, NextHopType::LoadBalancerTarget]);
    (any::<IpAddr>(), number(), kind, number(), number()).prop_map(|(address, vni, kind, a, b)| {
        let (from, to) = match kind {
            NextHopType::Nat => ((a & 0xffff).min(b & 0xffff), (a & 0xffff).max(b & 0xffff)),
            _ => (a, b),
        };
        NextHop::new(address, vni, kind, from, to).unwrap()
    })
}

pub(super) fn update() -> impl Strategy<Value = Update> {
    let action = select(vec![Action::Add, Action::Remove]);
    (action, number(), destination(), next_hop()).prop_map(
        |(action, vni, destination, next_hop)| Update {
            action,
            vni: Vni(vni),
            destination,
            next_hop,
        },
    )
}

pub(super) fn message() -> impl Strategy<Value = Message> {
    let hello = (1_u32.., any::<bool>(), number(), ".{0,300}", ".{0,300}", number()).prop_map(
        |(keepalive_interval, is_server, capabilities, agent, node, serving): (
            u32,
            _,
            _,
            String,
            String,
            _,
        )| {
            let extensions =
                Extensions::new(Capabilities(capabilities), agent, node).serving(serving);
            let extensions = (extensions != Extensions::default()).then_some(extensions);
            Message::Hello(Hello { keepalive_interval, is_server, extensions })
        },
    );
    let installed = any::<[u64; 3]>().prop_map(|[wanted, accepted, left_out]| Installed {
        wanted,
        accepted,
        left_out,
    });
    let report = (number(), any::<[u64; 2]>(), proptest::option::of(installed)).prop_map(
        |(vni, [routes, sum], installed)| {
            let routes = Digest { routes, sum };
            Message::Report(Report { vni: Vni(vni), routes, installed })
        },
    );
    prop_oneof![
        hello,
        report,
        Just(Message::Keepalive),
        number().prop_map(|vni| Message::Subscribe(Vni(vni))),
        number().prop_map(|vni| Message::Unsubscribe(Vni(vni))),
        update().prop_map(Message::Update),
        number().prop_map(|vni| Message::EndOfTable(Vni(vni))),
    ]
}

/// A varint of at least `len` bytes (ten at most), even if fewer would do.
fn varint(mut value: u64, len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 && out.len() + 1 >= len.min(10) {
            out.push(low & 0x7f);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// The length of a varint: mostly the shortest.
fn padding() -> impl Strategy<Value = usize> {
    prop_oneof![8 => Just(0), 1 => 0_usize..12]
}

fn field(number: u64, wire_type: u64, pad: usize, content: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | wire_type, pad), content].concat()
}

fn delimited(number: u64, pad: usize, content: &[u8]) -> Vec<u8> {
    field(number, 2, 0, &[&varint(content.len() as u64, pad), content].concat())
}

/// A varint field; sometimes with bits that a 32-bit field has no room for.
fn scalar(number: u64, values: impl Strategy<Value = u32>) -> impl Strategy<Value = Vec<u8>> {
    let high = prop_oneof![4 => Just(0_u64), 1 => any::<u32>().prop_map(u64::from)];
    (values, high, padding(), padding()).prop_map(move |(value, high, key_pad, pad)| {
        field(number, 0, key_pad, &varint(high << 32 | u64::from(value), pad))
    })
}

/// A field of any number and type: mostly unknown, sometimes of the wrong wire type.
fn stranger() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        1 => 0_u64..6,
        8 => 6_u64..40,
        1 => Just((1_u64 << 29) - 1),
        1 => Just(1_u64 << 29),
    ];
    let leaf = (number.clone(), 0_u64..8, vec(any::<u8>(), 0..12), any::<u64>(), padding())
        .prop_map(|(number, wire_type, bytes, value, pad)| match wire_type {
            0 => field(number, 0, pad, &varint(value, pad)),
            1 => field(number, 1, pad, &value.to_le_bytes()),
            2 => delimited(number, pad, &bytes),
            3 => [field(number, 3, pad, &[]), field(number, 4, 0, &[])].concat(),
            5 => field(number, 5, pad, &value.to_le_bytes()[..4]),
            other => field(number, other, pad, &[]),
        });
    leaf.prop_recursive(4, 16, 3, move |inner| {
        (number.clone(), vec(inner, 0..3))
            .prop_map(|(n, inner)| [field(n, 3, 0, &inner.concat()), field(n, 4, 0, &[])].concat())
    })
}

fn shuffled(fields: impl Strategy<Value = Vec<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    fields.prop_shuffle().prop_map(|fields| fields.concat())
}

/// Usually all of `usual`, sometimes fewer, in any order, some twice, with unknown fields between them.
fn scrambled(usual: Vec<BoxedStrategy<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    let some = {
        let usual = usual.clone();
        move || {
            let all: Vec<_> = (0..usual.len()).collect();
            (subsequence(all, 0..=usual.len()), usual.clone()).prop_map(|(some, fields)| {
                some.into_iter().filter_map(|i| fields.get(i).cloned()).collect::<Vec<_>>()
            })
        }
    };
    let fields = prop_oneof![6 => usual, 1 => some()];
    let repeated = prop_oneof![3 => Just(Vec::new()), 1 => some()];
    let strangers = prop_oneof![3 => Just(Vec::new()), 1 => vec(stranger(), 0..3)];
    shuffled((fields, repeated, strangers).prop_map(|(a, b, c)| [a, b, c].concat()))
}

fn prefix(number: u64) -> BoxedStrategy<Vec<u8>> {
    let len = prop_oneof![6 => Just(4_usize), 2 => Just(16), 1 => 0_usize..20];
    (len.prop_flat_map(|len| vec(any::<u8>(), len)), padding())
        .prop_map(move |(bytes, pad)| delimited(number, pad, &bytes))
        .boxed()
}

fn small(number: u64, beyond: u32) -> BoxedStrategy<Vec<u8>> {
    scalar(number, prop_oneof![20 => 0..beyond, 1 => any::<u32>()]).boxed()
}

/// Encodings that a proto3 decoder accepts but no encoder makes; more than half of them are valid.
pub(super) fn scrambled_update() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![6 => small(1, 1), 1 => small(1, 3)].boxed();
    let destination = scrambled(vec![version, prefix(2), small(3, 33)]);
    let next_hop = scrambled(vec![
        prefix(1),
        scalar(2, number()).boxed(),
        small(3, 3),
        small(4, 1000),
        scalar(5, prop_oneof![1000_u32..65_536, number()]).boxed(),
    ]);
    let nested = |number, message: BoxedStrategy<Vec<u8>>| {
        (message, padding()).prop_map(move |(m, pad)| delimited(number, pad, &m)).boxed()
    };
    scrambled(vec![
        small(1, 2),
        scalar(2, number()).boxed(),
        nested(3, destination.boxed()),
        nested(4, next_hop.boxed()),
    ])
}

/// A random change of bytes.
#[derive(Clone, Debug)]
pub(super) enum Accident {
    Flip(Index, u8),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index),
}

pub(super) fn accidents() -> impl Strategy<Value = Vec<Accident>> {
    let accident = prop_oneof![
        4 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Accident::Flip(at, bit)),
        1 => any::<Index>().prop_map(Accident::Truncate),
        2 => (any::<Index>(), stranger()).prop_map(|(at, field)| Accident::Insert(at, field)),
        1 => any::<Index>().prop_map(Accident::Remove),
    ];
    vec(accident, 1..4)
}

impl Accident {
    pub(super) fn befall(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Insert(at, field) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, field.iter().copied());
            }
            _ if bytes.is_empty() => {}
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
        }
    }
}

/// Bytes that look like keys and lengths more often than random bytes do.
pub(super) fn noise() -> impl Strategy<Value = Vec<u8>> {
    let telling = select(vec![
        0x00, 0x01, 0x02, 0x04, 0x06, 0x08, 0x0a, 0x10, 0x12, 0x18, 0x1a, 0x20, 0x22, 0x28, 0x2b,
        0x2c, 0x7f, 0x80, 0xff,
    ]);
    vec(prop_oneof![3 => telling, 1 => any::<u8>()], 0..80)
}
