//! From reads that end anywhere to whole frames.
//!
//! State: the beginning of a message whose rest has not arrived, which is less than a frame.
//! [`Reassembly::feed`] takes the next read. Frames that are whole in it are borrowed from it; only a frame that
//! began in the previous read is joined in a buffer, which exists only between these two reads.
//!
//! ```
//! # use metalbond::wire::{Message, Reassembly, Vni, WireError};
//! # let mut sent = Vec::new();
//! # Message::Keepalive.encode_into(&mut sent);
//! # Message::Subscribe(Vni(7)).encode_into(&mut sent);
//! let mut reassembly = Reassembly::default();
//! let mut messages = Vec::new();
//! for read in sent.chunks(5) {
//!     let mut frames = reassembly.feed(read);
//!     while let Some(frame) = frames.next()? {
//!         messages.push(Message::decode(&frame)?);
//!     }
//! }
//! assert_eq!(messages, [Message::Keepalive, Message::Subscribe(Vni(7))]);
//! # Ok::<(), WireError>(())
//! ```

use super::frame::{Frame, HEADER_LEN, MAX_FRAME, split};
use super::{Message, WireError};

/// Finds the messages in a stream of bytes, and keeps the beginning of a message that a read has cut. While it is
/// empty, it holds no memory.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    partial: Vec<u8>,
}

/// One read while the caller takes its frames. Drop it only after [`Frames::next`] has returned `None`: bytes not taken
/// before are lost.
#[derive(Debug)]
pub struct Frames<'a> {
    /// The message that the previous read has cut, until it is joined; at the end, the message that this read cuts.
    kept: &'a mut Vec<u8>,
    /// The message that has been joined.
    joined: Vec<u8>,
    bytes: &'a [u8],
}

impl Reassembly {
    /// Takes the next bytes of the stream. Take all frames from the returned value.
    pub fn feed<'a>(&'a mut self, bytes: &'a [u8]) -> Frames<'a> {
        Frames { kept: &mut self.partial, joined: Vec::new(), bytes }
    }

    /// The number of bytes kept of a message that has not arrived completely: less than
    /// [`MAX_FRAME`].
    #[must_use]
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// The bytes kept of a message that has not arrived completely.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Forgets these bytes: a new stream begins.
    pub fn clear(&mut self) {
        self.partial = Vec::new();
    }
}

impl<'a> Frames<'a> {
    /// The next frame, or `None` if the rest is not a whole frame; the rest is kept for the next read.
    ///
    /// # Errors
    /// Those of [`split`]. After an error the stream has no known boundaries.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "a frame borrows from this")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        if !self.kept.is_empty() {
            return self.join();
        }
        let Some(frame) = split(self.bytes)? else {
            self.keep();
            return Ok(None);
        };
        self.bytes = &self.bytes[frame.len()..];
        Ok(Some(frame))
    }

    /// The bytes after the frames taken so far, in place; empty until the message that the previous read has cut is
    /// complete. A caller that takes frames from these bytes itself must then call [`Frames::skip`].
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        if self.kept.is_empty() { self.bytes } else { &[] }
    }

    /// Notes that the caller has taken this number of bytes of [`Frames::rest`], all of them whole frames.
    ///
    /// # Panics
    /// If there are fewer bytes.
    #[inline]
    pub fn skip(&mut self, bytes: usize) {
        self.bytes = &self.bytes[bytes..];
    }

    /// Calls `each` with each message, until there is none left.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are not a frame, or a frame that is not a message.
    pub fn messages<E: From<WireError>>(
        &mut self,
        mut each: impl FnMut(Message) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(frame) = self.next()? {
            each(Message::decode(&frame)?)?;
        }
        Ok(())
    }

    /// Joins the cut message. Copies as many bytes as a frame can have, perhaps more than are missing: the number of
    /// missing bytes may not be known yet.
    #[cold]
    fn join(&mut self) -> Result<Option<Frame<'_>>, WireError> {
        let had = self.kept.len();
        let more = self.bytes.len().min(MAX_FRAME - had.min(MAX_FRAME));
        self.kept.extend_from_slice(&self.bytes[..more]);
        let Some(length) = split(self.kept)?.map(|frame| frame.len()) else {
            self.bytes = &[]; // fewer bytes than a frame can have: all are kept
            return Ok(None);
        };
        self.bytes = &self.bytes[length - had..];
        self.joined = std::mem::take(self.kept);
        split(&self.joined)
    }

    /// Keeps the rest, with room for exactly its message if the message's length is known.
    fn keep(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return;
        }
        let length = match bytes {
            [_, high, low, ..] => HEADER_LEN + usize::from(u16::from_be_bytes([*high, *low])),
            _ => HEADER_LEN,
        };
        let mut room = std::mem::take(&mut self.joined);
        room.clear();
        room.reserve_exact(length);
        room.extend_from_slice(bytes);
        *self.kept = room;
    }
}
