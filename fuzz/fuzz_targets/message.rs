//! Any payload as any message: what decodes is the same after encoding and decoding again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metalbond::wire::{Frame, MAX_PAYLOAD, Message, MessageType, split};

const KINDS: [MessageType; 7] = [
    MessageType::Hello,
    MessageType::Keepalive,
    MessageType::Subscribe,
    MessageType::Unsubscribe,
    MessageType::Update,
    MessageType::EndOfTable,
    MessageType::Report,
];

fuzz_target!(|payload: &[u8]| {
    let payload = &payload[..payload.len().min(MAX_PAYLOAD)];
    for kind in KINDS {
        let Ok(message) = Message::decode(&Frame { kind, payload }) else {
            continue;
        };
        assert_eq!(message.kind(), kind);
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        let frame = split(&bytes)
            .expect("our own header")
            .expect("our own frame");
        assert_eq!(frame.len(), bytes.len());
        assert_eq!(Message::decode(&frame).as_ref(), Ok(&message));
    }
});
