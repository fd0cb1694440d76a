//! Frames out of a byte stream, wherever reads cut it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::strategy::{accidents, message};
use crate::wire::{HEADER_LEN, MAX_FRAME, Message, WireError, split};

/// Reads a stream as a session would: bytes arrive in pieces, whole messages are taken out.
#[derive(Default)]
struct Session {
    buf: Vec<u8>,
    messages: Vec<Message>,
    error: Option<WireError>,
}

impl Session {
    fn receive(&mut self, piece: &[u8]) {
        self.buf.extend_from_slice(piece);
        if self.error.is_some() {
            return;
        }
        let mut rest = &self.buf[..];
        loop {
            match split(rest)
                .and_then(|f| f.map(|f| Ok((f.len(), Message::decode(&f)?))).transpose())
            {
                Ok(Some((len, message))) => {
                    rest = &rest[len..];
                    self.messages.push(message);
                }
                Ok(None) => break,
                Err(error) => {
                    self.error = Some(error);
                    break;
                }
            }
        }
        self.buf = rest.to_vec();
    }
}

fn pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, Option<WireError>) {
    let mut session = Session::default();
    pieces.into_iter().for_each(|piece| session.receive(piece));
    (session.messages, session.error)
}

proptest! {
    #[test]
    fn cuts_do_not_matter(messages in vec(message(), 0..8)) {
        let mut stream = Vec::new();
        for message in &messages {
            let start = stream.len();
            message.encode_into(&mut stream);
            prop_assert!(stream.len() - start <= MAX_FRAME);
        }
        for at in 0..=stream.len() {
            let (a, b) = stream.split_at(at);
            prop_assert_eq!(&pieces([a, b]), &(messages.clone(), None));
        }
        prop_assert_eq!(&pieces(stream.chunks(1)), &(messages, None));
    }

    #[test]
    fn cuts_do_not_matter_to_errors(
        messages in vec(message(), 1..5),
        accidents in accidents(),
        size in 1_usize..50,
    ) {
        let mut stream = Vec::new();
        messages.iter().for_each(|message| message.encode_into(&mut stream));
        for accident in accidents {
            accident.befall(&mut stream);
        }
        prop_assert_eq!(pieces(stream.chunks(size)), pieces([&stream[..]]));
    }

    #[test]
    fn whatever_decodes_survives_a_round_trip(
        kind in 0_u8..8,
        payload in vec(any::<u8>(), 0..40),
    ) {
        let len = u8::try_from(payload.len()).unwrap();
        let bytes = [&[1, 0, len, kind], &payload[..]].concat();
        if let (messages, None) = pieces([&bytes[..]]) {
            let mut again = Vec::new();
            messages.iter().for_each(|message| message.encode_into(&mut again));
            prop_assert_eq!(pieces([&again[..]]), (messages, None));
        }
    }
}

#[test]
fn the_longest_frame_is_split() {
    let mut bytes = vec![1, 0x04, 0xa4, 2];
    bytes.resize(MAX_FRAME + 1, 0xff);
    for len in 0..MAX_FRAME {
        assert_eq!(split(&bytes[..len]), Ok(None));
    }
    let frame = split(&bytes).unwrap().unwrap();
    assert_eq!(frame.len(), MAX_FRAME);
    assert_eq!(frame.payload, &bytes[HEADER_LEN..MAX_FRAME]);
}
