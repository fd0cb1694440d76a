//! The hand-written UPDATE codec against prost's.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::oracle::reference;
use super::strategy::{accidents, noise, scrambled_update, update};
use crate::wire::{
    Action, Destination, HEADER_LEN, NextHop, Update, Vni, WireError, decode_update, encode_update,
    proto, update_frame_len,
};

fn prosts(update: &Update) -> proto::Update {
    let (d, h) = (update.destination, update.next_hop);
    proto::Update {
        action: i32::from(update.action as u8),
        vni: update.vni.0,
        destination: Some(proto::Destination {
            ip_version: i32::from(d.version() as u8),
            prefix: d.prefix().to_vec(),
            prefix_length: d.prefix_len().into(),
        }),
        next_hop: Some(proto::NextHop {
            target_address: match h.address() {
                IpAddr::V4(a) => a.octets().to_vec(),
                IpAddr::V6(a) => a.octets().to_vec(),
            },
            target_vni: h.target_vni(),
            r#type: i32::from(h.kind() as u8),
            nat_port_range_from: h.nat_ports().0,
            nat_port_range_to: h.nat_ports().1,
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn encodes_as_prost_does(update in update()) {
        let (d, h) = (update.destination, update.next_hop);
        let mut frame = Vec::new();
        encode_update(&mut frame, update.action, update.vni, &d, &h);
        let payload = prosts(&update).encode_to_vec();
        prop_assert_eq!(&frame[HEADER_LEN..], &payload);
        prop_assert_eq!(frame.len(), update_frame_len(update.action, update.vni, &d, &h));
        prop_assert_eq!(decode_update(&payload), Ok(update));
    }

    #[test]
    fn decodes_scrambled_updates_as_prost_does(payload in scrambled_update()) {
        prop_assert_eq!(decode_update(&payload), reference(&payload));
    }

    #[test]
    fn decodes_damaged_updates_as_prost_does(
        intact in prop_oneof![update().prop_map(|u| prosts(&u).encode_to_vec()), scrambled_update()],
        accidents in accidents(),
    ) {
        let mut payload = intact;
        for accident in accidents {
            accident.befall(&mut payload);
        }
        prop_assert_eq!(decode_update(&payload), reference(&payload));
    }

    #[test]
    fn decodes_noise_as_prost_does(
        payload in prop_oneof![noise(), vec(any::<u8>(), 0..1200)],
    ) {
        prop_assert_eq!(decode_update(&payload), reference(&payload));
    }
}

/// The generators above serve their purpose: they make both outcomes, many times.
#[test]
fn scrambled_updates_are_often_valid() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let valid = (0..500)
        .filter(|_| {
            let payload = scrambled_update().new_tree(&mut runner).unwrap().current();
            decode_update(&payload).is_ok()
        })
        .count();
    assert!((50..450).contains(&valid), "{valid} of 500");
}

/// The canonical layout with any one byte changed to any other: a fast path could fail there.
#[test]
fn decodes_every_near_miss_as_prost_does() {
    let address = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let next_hop = NextHop::standard(address);
    let prefixes: [(IpAddr, u8); 3] = [([10, 1, 2, 0].into(), 24), (address, 64), (address, 128)];
    for (action, vni) in [(Action::Add, 1), (Action::Add, 300), (Action::Remove, 200_000)] {
        for (addr, len) in prefixes {
            let destination = Destination::new(addr, len).unwrap();
            let mut frame = Vec::new();
            encode_update(&mut frame, action, Vni(vni), &destination, &next_hop);
            let payload = &mut frame[HEADER_LEN..];
            for at in 0..payload.len() {
                let right = payload[at];
                for wrong in 0..=u8::MAX {
                    payload[at] = wrong;
                    assert_eq!(decode_update(payload), reference(payload), "{payload:x?}");
                }
                payload[at] = right;
            }
        }
    }
}

#[test]
fn repeated_nested_messages_are_merged() {
    let payload = b"\x1a\x06\x12\x04\x0a\0\0\0\x22\x06\x0a\x04\xc0\0\x02\x01\
                    \x1a\x02\x18\x08\x22\x02\x10\x07\x1a\x00\x22\x00";
    let destination = Destination::new([10, 0, 0, 0].into(), 8).unwrap();
    let hop = NextHop::from_wire(&[192, 0, 2, 1], 7, 0, 0, 0).unwrap();
    let merged = Update { action: Action::Add, vni: Vni(0), destination, next_hop: hop };
    assert_eq!(decode_update(payload), Ok(merged));
    assert_eq!(reference(payload), Ok(merged));
}

/// Groups nest as deep as prost lets them, at either level, and not deeper.
#[test]
fn groups_nest_as_deep_as_prost_has_it() {
    let nested = |depth| [vec![0x2b; depth], vec![0x2c; depth]].concat();
    let around = |outer: &[u8], inner: &[u8]| {
        let destination = [&[0x12, 4, 10, 0, 0, 0], inner].concat();
        let len = varint(destination.len());
        [outer, &[0x1a], &len, &destination, &[0x22, 6, 0x0a, 4, 1, 2, 3, 4]].concat()
    };
    for depth in [0, 1, 97, 98, 99, 100, 101, 102, 290] {
        for payload in [around(&nested(depth), &[]), around(&[], &nested(depth))] {
            assert_eq!(decode_update(&payload), reference(&payload), "{depth}");
        }
    }
    assert!(decode_update(&around(&nested(100), &nested(99))).is_ok());
    assert_eq!(decode_update(&around(&nested(101), &[])), Err(WireError::Protobuf));
    assert_eq!(decode_update(&around(&[], &nested(100))), Err(WireError::Protobuf));
}

fn varint(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encode_length_delimiter(len, &mut out).unwrap();
    out
}
