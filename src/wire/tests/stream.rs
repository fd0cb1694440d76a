//! Frames out of a byte stream, wherever reads cut it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::strategy::{accidents, message};
use crate::wire::{HEADER_LEN, MAX_FRAME, Message, Reassembly, Vni, WireError, split};

/// Reads a stream as a session does: bytes arrive in pieces, whole messages are taken out.
#[derive(Default)]
struct Session {
    reassembly: Reassembly,
    messages: Vec<Message>,
    error: Option<WireError>,
}

impl Session {
    fn receive(&mut self, piece: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let mut frames = self.reassembly.feed(piece);
        let taken = frames.messages(|message| {
            self.messages.push(message);
            Ok::<_, WireError>(())
        });
        self.error = taken.err();
        assert!(self.error.is_some() || self.reassembly.kept() < MAX_FRAME);
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

#[test]
fn what_is_whole_in_a_read_is_not_copied() {
    let mut bytes = Vec::new();
    Message::Subscribe(Vni(7)).encode_into(&mut bytes);
    Message::Subscribe(Vni(8)).encode_into(&mut bytes);
    let (first, second) = bytes.split_at(bytes.len() - 2);
    let mut reassembly = Reassembly::default();
    let mut frames = reassembly.feed(first);
    let frame = frames.next().unwrap().unwrap();
    assert!(first.as_ptr_range().contains(&frame.payload.as_ptr()));
    assert_eq!(frames.next(), Ok(None));
    assert!(frames.rest().is_empty());
    assert_eq!(reassembly.kept(), first.len() - bytes.len() / 2);
    let mut frames = reassembly.feed(second);
    assert!(frames.rest().is_empty(), "the cut message comes first");
    let frame = frames.next().unwrap().unwrap();
    assert_eq!(Message::decode(&frame), Ok(Message::Subscribe(Vni(8))));
    assert_eq!(frames.next(), Ok(None));
    assert_eq!(reassembly.kept(), 0);
}

#[test]
fn a_read_that_is_given_up_takes_the_message_it_has_joined_with_it() {
    let mut bytes = Vec::new();
    Message::Subscribe(Vni(7)).encode_into(&mut bytes);
    let mut reassembly = Reassembly::default();
    assert_eq!(reassembly.feed(&bytes[..5]).next(), Ok(None));
    assert!(reassembly.feed(&bytes[5..]).next().unwrap().is_some());
    let mut frames = reassembly.feed(&bytes);
    assert_eq!(frames.rest(), bytes);
    frames.skip(bytes.len());
    assert_eq!(frames.next(), Ok(None));
}
