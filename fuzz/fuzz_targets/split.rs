//! Arbitrary bytes in arbitrary pieces: the frames found don't depend on the pieces.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use metalbond::wire::{MAX_FRAME, MessageType, WireError, split};

#[derive(Arbitrary, Debug)]
struct Input {
    stream: Vec<u8>,
    /// Sizes of the pieces; the last piece takes what is left.
    sizes: Vec<u8>,
}

#[derive(Default, PartialEq, Debug)]
struct Outcome {
    frames: Vec<(MessageType, Vec<u8>)>,
    error: Option<WireError>,
}

fn receive<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut buf = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        let mut used = 0;
        loop {
            match split(&buf[used..]) {
                Ok(Some(frame)) => {
                    outcome.frames.push((frame.kind, frame.payload.to_vec()));
                    used += frame.len();
                }
                Ok(None) => break,
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            }
        }
        buf.drain(..used);
        assert!(buf.len() < MAX_FRAME, "a whole frame was left");
    }
    outcome
}

fuzz_target!(|input: Input| {
    let whole = receive([&input.stream[..]].into_iter());
    let mut rest = &input.stream[..];
    let mut pieces = Vec::new();
    for size in &input.sizes {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*size)));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert_eq!(receive(pieces.into_iter()), whole);
    assert_eq!(receive(input.stream.chunks(1)), whole);
});
