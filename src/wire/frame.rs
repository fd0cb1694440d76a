//! Where one message ends and the next begins.
//!
//! TCP is a stream: a read may end anywhere in a message, and may hold many of them. Every message
//! travels in a frame of a fixed header and a protobuf payload:
//!
//! ```text
//!   0         1         2         3         4               4 + length
//!   +---------+---------+---------+---------+-- ... --------+
//!   | version |  length (BE, <= 1188)  type |  payload      |
//!   +---------+---------+---------+---------+-- ... --------+
//! ```
//!
//! [`split`] borrows from the caller's buffer and copies nothing. Any error is final: past it, the
//! stream has no known boundaries.

use super::WireError;

/// The length of the header, in bytes.
pub const HEADER_LEN: usize = 4;

/// The longest payload that a header may announce.
pub const MAX_PAYLOAD: usize = 1188;

/// The longest frame, header included. A read buffer of this size always has room for a whole frame.
pub const MAX_FRAME: usize = HEADER_LEN + MAX_PAYLOAD;

/// The one version of the protocol, byte 0 of each frame.
pub const VERSION: u8 = 1;

/// The type of a message, byte 3 of each frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum MessageType {
    /// The first message of either side.
    Hello = 1,
    /// Keeps the session alive; receivers ignore its payload.
    Keepalive = 2,
    /// Asks for the routes of a VNI.
    Subscribe = 3,
    /// Ends the subscription to a VNI.
    Unsubscribe = 4,
    /// Announces or withdraws one route.
    Update = 5,
    /// The dump of a VNI is complete; only for peers that advertised it.
    EndOfTable = 6,
    /// The sender ends the session on purpose; only for peers that advertised it. Receivers ignore its payload.
    Goodbye = 7,
    /// The routes of a VNI that a leaf has; only for peers that advertised it.
    Report = 8,
}

impl MessageType {
    /// The type that byte 3 of a header names.
    ///
    /// # Errors
    /// [`WireError::MessageType`] for an unknown type.
    pub fn from_wire(byte: u8) -> Result<Self, WireError> {
        match byte {
            1 => Ok(Self::Hello),
            2 => Ok(Self::Keepalive),
            3 => Ok(Self::Subscribe),
            4 => Ok(Self::Unsubscribe),
            5 => Ok(Self::Update),
            6 => Ok(Self::EndOfTable),
            7 => Ok(Self::Goodbye),
            8 => Ok(Self::Report),
            other => Err(WireError::MessageType(other)),
        }
    }
}

/// One whole message, not decoded, borrowed from the buffer that was passed to [`split`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// The type of the message.
    pub kind: MessageType,
    /// The bytes after the header; at most [`MAX_PAYLOAD`] if [`split`] made the frame.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The number of bytes on the wire, header included; the next frame begins after them.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame has a header and is never empty")]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }
}

/// The first frame of `buf`, or `None` if `buf` does not contain all of it.
///
/// Looks at no more than the header; constant time.
///
/// # Errors
/// [`WireError::Version`], [`WireError::TooLong`] or [`WireError::MessageType`], each as soon as the
/// header's bytes that show it have arrived (1, 3 and 4 of them) and in that order of precedence.
#[inline]
pub fn split(buf: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    let [VERSION, high, low, kind, rest @ ..] = buf else {
        return split_partial(buf);
    };
    let length = announced([*high, *low])?;
    let kind = MessageType::from_wire(*kind)?;
    Ok(rest.get(..length).map(|payload| Frame { kind, payload }))
}

/// The whole frames at the beginning of `buf`. Ends at the first bytes that are not a whole frame, without an error:
/// use [`Reassembly`](super::Reassembly) for the rest.
pub fn whole_frames(mut buf: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let frame = split(buf).ok()??;
        buf = &buf[frame.len()..];
        Some(frame)
    })
}

/// The rest of [`split`]: the bytes are less than a header, or of another version.
#[cold]
fn split_partial(buf: &[u8]) -> Result<Option<Frame<'_>>, WireError> {
    match buf {
        [] | [VERSION] | [VERSION, _] => Ok(None),
        [VERSION, high, low, ..] => announced([*high, *low]).map(|_| None),
        [version, ..] => Err(WireError::Version(*version)),
    }
}

/// The payload length in a header.
fn announced(length: [u8; 2]) -> Result<usize, WireError> {
    let length = u16::from_be_bytes(length);
    match usize::from(length) {
        len if len <= MAX_PAYLOAD => Ok(len),
        _ => Err(WireError::TooLong(length)),
    }
}

/// The header of a payload of `len` bytes.
pub(super) fn header(kind: MessageType, len: usize) -> [u8; HEADER_LEN] {
    debug_assert!(len <= MAX_PAYLOAD, "payload of {len} bytes");
    let [low, high, ..] = len.to_le_bytes();
    [VERSION, high, low, kind as u8]
}
