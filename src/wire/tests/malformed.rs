//! Bad input, and the error that each gets.

use prost::Message as _;

use crate::wire::{
    Capabilities, Extensions, Frame, HEADER_LEN, Hello, IpVersion, MAX_PAYLOAD, Message,
    MessageType, Update, WireError, decode_update, proto, split,
};

#[test]
fn headers_are_refused_as_early_as_they_can_be() {
    let cases: &[(&[u8], WireError)] = &[
        (&[0], WireError::Version(0)),
        (&[2], WireError::Version(2)),
        (b"GET ", WireError::Version(b'G')),
        (&[1, 0x04, 0xa5], WireError::TooLong(1189)),
        (&[1, 0xff, 0xff], WireError::TooLong(65_535)),
        (&[1, 0xff, 0xff, 9], WireError::TooLong(65_535)),
        (&[1, 0, 0, 0], WireError::MessageType(0)),
        (&[1, 0, 0, 9], WireError::MessageType(9)),
        (&[1, 0x04, 0xa4, 255], WireError::MessageType(255)),
        (&[2, 0xff, 0xff, 9, 0], WireError::Version(2)),
    ];
    for (bytes, error) in cases {
        assert_eq!(split(bytes), Err(*error), "{bytes:?}");
    }
    for kind in 1..=8 {
        assert_eq!(split(&[1, 0, 1, kind]), Ok(None));
    }
}

fn decode(kind: MessageType, payload: &[u8]) -> Result<Message, WireError> {
    Message::decode(&Frame { kind, payload })
}

#[test]
fn payloads_that_are_not_protobuf_are_refused() {
    use MessageType::{EndOfTable, Hello, Report, Subscribe, Unsubscribe, Update};
    let bad: &[&[u8]] = &[
        b"\xff",                                             // cut in a key
        b"\x08",                                             // cut before a value
        b"\x08\x80",                                         // cut in a varint
        b"\x0a\x01\x00",                                     // field 1 isn't bytes
        b"\x0d\0\0\0\0",                                     // nor fixed
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",     // 65 bits
        b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", // 11 bytes
        b"\x00\x00",                                         // field 0
        b"\xfa\x01\x02\x00",                                 // bytes cut short
        b"\xfb\x01",                                         // group without end
        b"\xfc\x01",                                         // end without group
        b"\xfb\x01\x84\x02",                                 // end of another group
        b"\xfe\x01",                                         // wire type 6
        b"\x88\x80\x80\x80\x10\x00",                         // key beyond 32 bits
    ];
    for kind in [Hello, Subscribe, Unsubscribe, Update, EndOfTable, Report] {
        for payload in bad {
            assert_eq!(decode(kind, payload), Err(WireError::Protobuf), "{kind:?} {payload:?}");
        }
    }
    assert_eq!(decode(Hello, b"\x08\x05\x8a\x01\x01\xff"), Err(WireError::Protobuf)); // not UTF-8
    assert_eq!(decode(MessageType::Keepalive, b"\xff"), Ok(Message::Keepalive));
}

#[test]
fn a_hello_without_interval_is_refused() {
    for payload in [&b""[..], b"\x08\x00", b"\x10\x01", b"\x08\x80\x80\x80\x80\x10"] {
        assert_eq!(decode(MessageType::Hello, payload), Err(WireError::KeepaliveInterval));
    }
}

/// Decodes an UPDATE of nested messages that are given without their keys and lengths.
fn update(fields: &[u8], destination: &[u8], next_hop: &[u8]) -> Result<Update, WireError> {
    let length = |message: &[u8]| u8::try_from(message.len()).unwrap();
    let nested = |key: u8, message: &[u8]| [&[key, length(message)], message].concat();
    decode_update(&[fields, &nested(0x1a, destination), &nested(0x22, next_hop)].concat())
}

const V4: &[u8] = b"\x12\x04\x0a\0\0\0";
const V6: &[u8] = b"\x08\x01\x12\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const HOP: &[u8] = b"\x0a\x04\x01\x02\x03\x04";
/// -1 as an enum, which takes ten bytes.
const NEGATIVE: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";

#[test]
fn destinations_must_be_prefixes() {
    use IpVersion::{V4 as Four, V6 as Six};
    let prefix = |bytes, version| WireError::Prefix { bytes, version };
    let length = |length, version| WireError::PrefixLength { length, version };
    let cases: &[(&[&[u8]], WireError)] = &[
        (&[], prefix(0, Four)),
        (&[b"\x12\x03\x0a\0\0"], prefix(3, Four)),
        (&[b"\x12\x05\x0a\0\0\0\0"], prefix(5, Four)),
        (&[V6, b"\x08\x00"], prefix(16, Four)),
        (&[V4, b"\x08\x01"], prefix(4, Six)),
        (&[b"\x08\x01"], prefix(0, Six)),
        (&[V4, b"\x18\x21"], length(33, Four)),
        (&[V6, b"\x18\x81\x01"], length(129, Six)),
        (&[V4, b"\x18\x80\x02"], length(256, Four)),
        (&[V4, b"\x08\x02"], WireError::IpVersion(2)),
        (&[V4, b"\x08", NEGATIVE], WireError::IpVersion(u32::MAX)),
    ];
    for (destination, error) in cases {
        let destination = destination.concat();
        assert_eq!(update(b"", &destination, HOP), Err(*error), "{destination:?}");
    }
    assert!(update(b"", &[V4, b"\x18\x20"].concat(), HOP).is_ok());
    assert!(update(b"", &[V6, b"\x18\x80\x01"].concat(), HOP).is_ok());
}

#[test]
fn next_hops_must_be_reachable() {
    let address = |bytes| WireError::NextHopAddress { bytes };
    let ports = |from, to| WireError::NatPorts { from, to };
    let cases: &[(&[&[u8]], WireError)] = &[
        (&[], address(0)),
        (&[b"\x0a\x03\x01\x02\x03"], address(3)),
        (&[b"\x0a\x05\x01\x02\x03\x04\x05"], address(5)),
        (&[HOP, b"\x18\x03"], WireError::NextHopType(3)),
        (&[HOP, b"\x18", NEGATIVE], WireError::NextHopType(u32::MAX)),
        (&[HOP, b"\x18\x01\x20\x05\x28\x04"], ports(5, 4)),
        (&[HOP, b"\x18\x01\x20\x05"], ports(5, 0)),
        (&[HOP, b"\x18\x01\x28\x80\x80\x04"], ports(0, 65_536)),
    ];
    for (next_hop, error) in cases {
        let next_hop = next_hop.concat();
        assert_eq!(update(b"", V4, &next_hop), Err(*error), "{next_hop:?}");
    }
    assert!(update(b"", V4, &[HOP, b"\x18\x01\x28\xff\xff\x03"].concat()).is_ok());
    assert!(update(b"", V4, &[HOP, b"\x20\x05\x28\x04"].concat()).is_ok(), "not NAT");
}

#[test]
fn updates_must_be_whole() {
    assert_eq!(update(b"\x08\x02", V4, HOP), Err(WireError::Action(2)));
    let negative = [b"\x08", NEGATIVE].concat();
    assert_eq!(update(&negative, V4, HOP), Err(WireError::Action(u32::MAX)));
    assert_eq!(decode_update(b""), Err(WireError::MissingDestination));
    assert_eq!(decode_update(b"\x22\x00"), Err(WireError::MissingDestination));
    let destination = [b"\x1a\x06", V4].concat();
    assert_eq!(decode_update(&destination), Err(WireError::MissingNextHop));
    assert_eq!(decode_update(&[&destination[..], b"\x20\x00"].concat()), Err(WireError::Protobuf));
}

#[test]
fn long_strings_are_clipped_at_a_character() {
    let clipped = |text: &str| Extensions::new(Capabilities::default(), text, "").agent;
    assert_eq!(clipped(&"x".repeat(255)), "x".repeat(255));
    assert_eq!(clipped(&"x".repeat(256)), "x".repeat(255));
    assert_eq!(clipped(&"é".repeat(128)), "é".repeat(127));

    let long = "é".repeat(1000);
    let extensions = Extensions {
        capabilities: Capabilities(u32::MAX),
        agent: long.clone(),
        node: long,
        serving_seconds: u32::MAX,
    };
    let hello =
        Hello { keepalive_interval: u32::MAX, is_server: true, extensions: Some(extensions) };
    let mut bytes = Vec::new();
    Message::Hello(hello).encode_into(&mut bytes);
    assert!(bytes.len() < MAX_PAYLOAD / 2 + 100);
    let frame = split(&bytes).unwrap().unwrap();
    let Ok(Message::Hello(Hello { extensions: Some(extensions), .. })) = Message::decode(&frame)
    else {
        panic!("{frame:?}");
    };
    assert_eq!(extensions.node, "é".repeat(127));

    // A peer that doesn't clip: 400 bytes of agent.
    let agent = [b"\x08\x05\x8a\x01\x90\x03", "é".repeat(200).as_bytes()].concat();
    let Ok(Message::Hello(Hello { extensions: Some(extensions), .. })) =
        decode(MessageType::Hello, &agent)
    else {
        panic!("refused");
    };
    assert_eq!(extensions.agent, "é".repeat(127));
}

#[test]
fn names_have_no_characters_that_act() {
    let bad = [
        "\u{1b}",
        "\0",
        "\n",
        "\u{7f}",
        "\u{9b}",
        "\u{ad}",
        "\u{61c}",
        "\u{200b}",
        "\u{200e}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2060}",
        "\u{2066}",
        "\u{206f}",
        "\u{feff}",
        "\u{fffb}",
        "\u{1d173}",
        "\u{e0001}",
        "\u{e007f}",
    ];
    for bad in bad {
        let name = format!("a{bad}[31mé漢 b{bad}");
        let shown = "a\u{fffd}[31mé漢 b\u{fffd}";
        let payload = proto::Hello {
            keepalive_interval: 5,
            agent: name.clone(),
            node: name.clone(),
            ..proto::Hello::default()
        };
        let Ok(Message::Hello(Hello { extensions: Some(heard), .. })) =
            decode(MessageType::Hello, &payload.encode_to_vec())
        else {
            panic!("refused");
        };
        assert_eq!((&*heard.agent, &*heard.node), (shown, shown), "{}", bad.escape_unicode());
        // What we send is just as safe, also when it was put together by hand.
        let extensions = Extensions { agent: name.clone(), node: name, ..Extensions::default() };
        let hello = Hello { keepalive_interval: 5, is_server: false, extensions: Some(extensions) };
        let mut bytes = Vec::new();
        Message::Hello(hello).encode_into(&mut bytes);
        let hello = proto::Hello::decode(&bytes[HEADER_LEN..]).unwrap();
        assert_eq!((&*hello.agent, &*hello.node), (shown, shown));
    }
    // Replacements make the text longer, and it is still cut.
    assert_eq!(Extensions::new(Capabilities::default(), "\0".repeat(255), "").agent.len(), 255);
}

#[test]
fn capabilities_are_a_set() {
    let both = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    assert!(both.contains(Capabilities::STREAM) && both.contains(both));
    assert!(!Capabilities::STREAM.contains(both));
    assert!(Capabilities::default().contains(Capabilities::default()));
}
