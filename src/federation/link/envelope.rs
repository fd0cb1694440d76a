//! [`Envelope`]: what travels between sites, as bytes.
//!
//! 32 bytes, little endian, and a body:
//!
//! ```text
//!   0  u8  version, 1          8  u64 epoch of the sender's process
//!   1  u8  kind               16  u64 sequence number
//!   2  u16 flags              24  u64 wall clock of the sender, microseconds
//!   4  u32 VNI
//! ```
//!
//! | kind | body |
//! |---|---|
//! | 1 delta | UPDATE frames of the VNI |
//! | 2 tail | u64 routes, u64 sum: the [`Digest`] of all that has been sent |
//! | 3 chunk | u64 inbox, u64 as of; UPDATE frames of the VNI. Flag 1: it ends the VNI's part of the answer |
//! | 4 control | a `Control` of `proto/federation.proto` |
//!
//! Frames are copied as a table has sealed them; nothing is encoded again.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use thiserror::Error;

use super::form::Control;
use super::form::control::Kind;
use crate::wire::{Digest, Vni};

/// The version of the protocol.
const VERSION: u8 = 1;
/// Bytes before the body.
pub(crate) const HEADER: usize = 32;
/// The most bytes of frames in one message: larger messages would hold up those of other sites.
pub(crate) const FRAMES_MAX: usize = 64 * 1024;
/// The flag of a chunk that ends its VNI's part of an answer.
const END: u16 = 1;

/// Why a message is unusable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum Unreadable {
    /// It has another version of the protocol.
    #[error("it has version {0}, and this program speaks version {VERSION}")]
    Version(u8),
    /// It has a kind that this program does not know.
    #[error("its kind {0} is unknown")]
    Kind(u8),
    /// Its body is too short, or does not fit its kind.
    #[error("its body cannot be decoded")]
    Body,
}

/// A message from one site.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Envelope {
    /// The process that sent it.
    pub(crate) epoch: u64,
    /// The sender's wall clock in microseconds.
    pub(crate) sent: u64,
    pub(crate) content: Content,
}

/// The content of a message.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Content {
    /// The `sequence`-th change of a VNI.
    Delta { vni: Vni, sequence: u64, frames: Bytes },
    /// No change of the VNI has followed the one with this number; the digest covers all changes up to it.
    Tail { vni: Vni, sequence: u64, digest: Digest },
    /// The `sequence`-th part of an answer. The last part of a VNI has `end`, the number of the latest change that the
    /// answer holds.
    Chunk { vni: Vni, sequence: u64, inbox: u64, end: Option<u64>, frames: Bytes },
    /// A control message.
    Control(Kind),
}

impl Envelope {
    /// The message in bytes. Cost: a copy of the frames.
    pub(crate) fn encode(&self) -> Bytes {
        let Self { epoch, sent, content } = self;
        let head = |room, kind, flags: u16, vni: Vni, sequence| {
            let mut bytes = BytesMut::with_capacity(HEADER + room);
            bytes.put_u8(VERSION);
            bytes.put_u8(kind);
            bytes.put_u16_le(flags);
            bytes.put_u32_le(vni.0);
            bytes.put_u64_le(*epoch);
            bytes.put_u64_le(sequence);
            bytes.put_u64_le(*sent);
            bytes
        };
        match content {
            Content::Delta { vni, sequence, frames } => {
                let mut bytes = head(frames.len(), 1, 0, *vni, *sequence);
                bytes.extend_from_slice(frames);
                bytes.freeze()
            }
            Content::Tail { vni, sequence, digest } => {
                let mut bytes = head(16, 2, 0, *vni, *sequence);
                bytes.put_u64_le(digest.routes);
                bytes.put_u64_le(digest.sum);
                bytes.freeze()
            }
            Content::Chunk { vni, sequence, inbox, end, frames } => {
                let flags = if end.is_some() { END } else { 0 };
                let mut bytes = head(16 + frames.len(), 3, flags, *vni, *sequence);
                bytes.put_u64_le(*inbox);
                bytes.put_u64_le(end.unwrap_or(0));
                bytes.extend_from_slice(frames);
                bytes.freeze()
            }
            Content::Control(kind) => {
                let control = Control { kind: Some(kind.clone()) };
                let mut bytes = head(control.encoded_len(), 4, 0, Vni(0), 0);
                control.encode_raw(&mut bytes);
                bytes.freeze()
            }
        }
    }

    /// Reads a message. Does not look into frames.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Unreadable> {
        if bytes.len() < HEADER {
            return Err(Unreadable::Body);
        }
        let version = bytes.get_u8();
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let kind = bytes.get_u8();
        let flags = bytes.get_u16_le();
        let vni = Vni(bytes.get_u32_le());
        let epoch = bytes.get_u64_le();
        let sequence = bytes.get_u64_le();
        let sent = bytes.get_u64_le();
        let content = match kind {
            1 => Content::Delta { vni, sequence, frames: bytes },
            2 if bytes.len() >= 16 => {
                let digest = Digest { routes: bytes.get_u64_le(), sum: bytes.get_u64_le() };
                Content::Tail { vni, sequence, digest }
            }
            3 if bytes.len() >= 16 => {
                let (inbox, as_of) = (bytes.get_u64_le(), bytes.get_u64_le());
                let end = (flags & END != 0).then_some(as_of);
                Content::Chunk { vni, sequence, inbox, end, frames: bytes }
            }
            4 => match Control::decode(bytes) {
                Ok(Control { kind: Some(kind) }) => Content::Control(kind),
                // The kind is from a later version, or is missing.
                Ok(Control { kind: None }) => return Err(Unreadable::Kind(kind)),
                Err(_) => return Err(Unreadable::Body),
            },
            2 | 3 => return Err(Unreadable::Body),
            kind => return Err(Unreadable::Kind(kind)),
        };
        Ok(Self { epoch, sent, content })
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::{Heartbeat, SnapshotRequest};
    use super::*;

    fn all() -> Vec<Content> {
        let frames = Bytes::from_static(&[1, 0, 0, 2]);
        let (vni, sequence, inbox) = (Vni(7), 9, 11);
        vec![
            Content::Delta { vni, sequence, frames: frames.clone() },
            Content::Tail { vni, sequence, digest: Digest { routes: 3, sum: u64::MAX } },
            Content::Chunk { vni, sequence, inbox, end: None, frames: frames.clone() },
            Content::Chunk { vni, sequence, inbox, end: Some(12), frames: Bytes::new() },
            Content::Control(Kind::Heartbeat(Heartbeat { number: 4, ..Heartbeat::default() })),
            Content::Control(Kind::SnapshotRequest(SnapshotRequest {
                inbox,
                vni_steps: vec![1, 2],
            })),
        ]
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for content in all() {
            let envelope = Envelope { epoch: 5, sent: 6, content };
            assert_eq!(Envelope::decode(envelope.encode()), Ok(envelope));
        }
    }

    #[test]
    fn no_message_cut_short_and_no_flipped_bit_makes_it_panic() {
        for content in all() {
            let bytes = Envelope { epoch: 5, sent: 6, content }.encode();
            for length in 0..bytes.len() {
                Envelope::decode(bytes.slice(..length)).ok();
            }
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                Envelope::decode(flipped.into()).ok();
            }
        }
    }

    #[test]
    fn another_version_and_an_unknown_kind_are_named() {
        let envelope = Envelope { epoch: 5, sent: 6, content: all().remove(0) };
        let mut bytes = envelope.encode().to_vec();
        bytes[1] = 77;
        assert_eq!(Envelope::decode(bytes.clone().into()), Err(Unreadable::Kind(77)));
        bytes[0] = 2;
        assert_eq!(Envelope::decode(bytes.into()), Err(Unreadable::Version(2)));
    }
}
