//! Bytes on their way out: owned, so that an operation in flight can keep them alive.

use bytes::Bytes;

/// Bytes to send. The operation owns them until it ends and then hands them back.
///
/// Neither variant's bytes move when the value does, which the ring relies on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutBuf {
    /// Shared with other sessions, or with whoever encoded them.
    Shared(Bytes),
    /// This session's own; the allocation comes back for the next round.
    Copied(Vec<u8>),
}

impl OutBuf {
    /// All bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// The bytes from `from` on; none if there are fewer.
    pub(super) fn tail(&self, from: usize) -> &[u8] {
        self.as_slice().get(from..).unwrap_or_default()
    }
}
