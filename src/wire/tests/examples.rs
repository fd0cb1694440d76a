//! Whole frames and what they mean, run both ways.

use crate::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, NextHopType, Update,
    Vni, split, update_frame_len,
};

fn update(
    action: Action,
    vni: u32,
    prefix: (&str, u8),
    hop: (&str, u32, NextHopType, u32, u32),
) -> Message {
    let (address, target_vni, kind, from, to) = hop;
    Message::Update(Update {
        action,
        vni: Vni(vni),
        destination: Destination::new(prefix.0.parse().unwrap(), prefix.1).unwrap(),
        next_hop: NextHop::new(address.parse().unwrap(), target_vni, kind, from, to).unwrap(),
    })
}

fn hello(keepalive_interval: u32, is_server: bool, extensions: Option<Extensions>) -> Message {
    Message::Hello(Hello { keepalive_interval, is_server, extensions })
}

fn examples() -> Vec<(Vec<u8>, Message)> {
    use Action::{Add, Remove};
    use NextHopType::{LoadBalancerTarget, Nat, Standard};
    let both = Capabilities::STREAM.union(Capabilities::END_OF_TABLE);
    vec![
        (b"\x01\x00\x02\x01\x08\x05".to_vec(), hello(5, false, None)),
        (b"\x01\x00\x04\x01\x08\x03\x10\x01".to_vec(), hello(3, true, None)),
        (
            b"\x01\x00\x15\x01\x08\x05\x10\x01\x80\x01\x03\x8a\x01\x04mb/1\x92\x01\x04node"
                .to_vec(),
            hello(5, true, Some(Extensions::new(both, "mb/1", "node"))),
        ),
        (
            b"\x01\x00\x05\x01\x08\x05\x80\x01\x01".to_vec(),
            hello(5, false, Some(Extensions::new(Capabilities::STREAM, "", ""))),
        ),
        (
            b"\x01\x00\x07\x01\x08\x05\x10\x01\x98\x01\x23".to_vec(),
            hello(5, true, Some(Extensions::new(Capabilities::default(), "", "").serving(35))),
        ),
        (b"\x01\x00\x00\x02".to_vec(), Message::Keepalive),
        (b"\x01\x00\x00\x03".to_vec(), Message::Subscribe(Vni(0))),
        (b"\x01\x00\x02\x03\x08\x64".to_vec(), Message::Subscribe(Vni(100))),
        (b"\x01\x00\x06\x04\x08\xff\xff\xff\xff\x0f".to_vec(), Message::Unsubscribe(Vni(u32::MAX))),
        (b"\x01\x00\x03\x06\x08\xc8\x01".to_vec(), Message::EndOfTable(Vni(200))),
        (
            b"\x01\x00\x22\x05\x10\xc0\x9a\x0c\x1a\x08\x12\x04\x0a\x01\x02\x00\x18\x18\
              \x22\x12\x0a\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                .to_vec(),
            update(Add, 200_000, ("10.1.2.0", 24), ("2001:db8::1", 0, Standard, 0, 0)),
        ),
        // A default route of VNI 0 over IPv4, withdrawn.
        (
            b"\x01\x00\x12\x05\x08\x01\x1a\x06\x12\x04\0\0\0\0\x22\x06\x0a\x04\xc0\0\x02\x01"
                .to_vec(),
            update(Remove, 0, ("0.0.0.0", 0), ("192.0.2.1", 0, Standard, 0, 0)),
        ),
        // Host bits are kept.
        (
            b"\x01\x00\x2d\x05\x10\x01\x1a\x17\x08\x01\x12\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\
              \x18\x80\x01\x22\x10\x0a\x04\xc0\0\x02\x01\x10\x07\x18\x01\x20\x80\x08\x28\xff\x0f"
                .to_vec(),
            update(Add, 1, ("fd00::9", 128), ("192.0.2.1", 7, Nat, 1024, 2047)),
        ),
        // Ports mean nothing without NAT, but are part of the route: the longest frame.
        (
            b"\x01\x00\x49\x05\x08\x01\x10\xff\xff\xff\xff\x0f\
              \x1a\x17\x08\x01\x12\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x18\x80\x01\
              \x22\x26\x0a\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x10\xff\xff\xff\xff\x0f\x18\x02\
              \x20\xff\xff\xff\xff\x0f\x28\xfe\xff\xff\xff\x0f"
                .to_vec(),
            update(
                Remove,
                u32::MAX,
                ("fd00::", 128),
                ("fd00::1", u32::MAX, LoadBalancerTarget, u32::MAX, u32::MAX - 1),
            ),
        ),
    ]
}

#[test]
fn frames_and_values_are_each_others_image() {
    for (bytes, message) in examples() {
        let frame = split(&bytes).unwrap().unwrap();
        assert_eq!(frame.len(), bytes.len(), "{message:?}");
        assert_eq!(frame.kind, message.kind());
        assert_eq!(Message::decode(&frame).unwrap(), message);
        let mut encoded = b"before".to_vec();
        message.encode_into(&mut encoded);
        assert_eq!(encoded, [b"before", &bytes[..]].concat(), "{message:?}");
        if let Message::Update(u) = message {
            let len = update_frame_len(u.action, u.vni, &u.destination, &u.next_hop);
            assert_eq!(len, bytes.len(), "{u:?}");
        }
    }
}

#[test]
fn the_longest_example_is_the_longest_update() {
    let longest = examples().iter().map(|(bytes, _)| bytes.len()).max();
    assert_eq!(longest, Some(crate::wire::MAX_UPDATE_FRAME));
}
