//! Bytes as they go out, and bytes that no kernel should send.

use proptest::prelude::*;

use super::super::message::{Attributes, Messages};
use super::super::{decode, encode};
use super::*;

fn encoded(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::request(&mut bytes, 0x0102_0304, request).unwrap();
    bytes
}

#[cfg(target_endian = "little")]
#[test]
fn an_object_is_encoded_as_ip_encodes_it() {
    let bytes = encoded(&Request::AddObject(object(7, hop(3, 1))));
    #[rustfmt::skip]
    let expected = [
        // Length 84, RTM_NEWNEXTHOP, REQUEST | EXCL | CREATE, number, port.
        84, 0, 0, 0,  104, 0,  0x01, 0x06,  4, 3, 2, 1,  0, 0, 0, 0,
        // AF_INET6, scope, protocol, reserved, flags.
        10, 0, 254, 0,  0, 0, 0, 0,
        // NHA_ID, NHA_OIF, NHA_ENCAP_TYPE with padding.
        8, 0, 1, 0,  7, 0, 0, 0,
        8, 0, 5, 0,  3, 0, 0, 0,
        6, 0, 7, 0,  4, 0, 0, 0,
        // NHA_ENCAP, nested: the id and the destination, both big-endian.
        36, 0, 8, 0x80,
        12, 0, 1, 0,  0, 0, 0, 0, 0, 0, 0, 100,
        20, 0, 2, 0,  0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    assert_eq!(bytes, expected);
}

#[cfg(target_endian = "little")]
#[test]
fn a_delete_names_the_protocol_and_nothing_of_the_way() {
    let bytes = encoded(&delete(key("10.9.0.0/24")));
    #[rustfmt::skip]
    let expected = [
        // Length 52, RTM_DELROUTE, REQUEST, number, port.
        52, 0, 0, 0,  25, 0,  0x01, 0x00,  4, 3, 2, 1,  0, 0, 0, 0,
        // AF_INET, lengths, TOS, table, protocol, scope NOWHERE, kind UNSPEC, flags.
        2, 24, 0, 0,  254, 254, 255, 0,  0, 0, 0, 0,
        // RTA_DST, RTA_TABLE, RTA_PRIORITY.
        8, 0, 1, 0,  10, 9, 0, 0,
        8, 0, 15, 0,  0x70, 0x11, 0x01, 0x00,
        8, 0, 6, 0,  0, 0, 0, 0,
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn what_goes_out_is_read_as_it_was_meant() {
    for via in [hops(3, &[1]), hops(3, &[1, 2, 3]), Via::Object(7)] {
        for key in ["0.0.0.0/0", "10.9.0.0/24", "::/0", "2001:db8:9::/64"].map(key) {
            let bytes = encoded(&replace(key, via.clone()));
            let message = Messages(&bytes).next().unwrap();
            assert_eq!(decode::route(message.payload), Some(shown(key, via.clone())));
        }
    }
    for object in [object(7, hop(3, 1)), group(9, &[7, 8])] {
        let bytes = encoded(&Request::AddObject(object.clone()));
        let message = Messages(&bytes).next().unwrap();
        assert_eq!(decode::object(message.payload), Some(object));
    }
}

/// Parses bytes in every way there is.
fn read(bytes: &[u8]) {
    for message in Messages(bytes) {
        let _answer = message.answer();
        let _ = (decode::route(message.payload), decode::object(message.payload));
        let _link = decode::link(message.payload);
    }
    let _ = (decode::route(bytes), decode::object(bytes), decode::link(bytes));
    assert!(Attributes(bytes).count() <= bytes.len());
}

#[test]
fn a_message_that_is_cut_or_broken_does_no_harm() {
    let requests = [
        set(key("10.9.0.0/24"), hops(3, &[1, 2])),
        set(key("2001:db8::/64"), hops(3, &[1, 2])),
        Request::AddObject(object(7, hop(3, 1))),
        Request::AddObject(group(9, &[7, 8])),
    ];
    for request in requests {
        let bytes = encoded(&request);
        for end in 0..bytes.len() {
            read(&bytes[..end]);
            read(&bytes[end..]);
            for value in [0, 1, 3, 255] {
                let mut broken = bytes.clone();
                broken[end] = value;
                read(&broken);
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }
}
