//! The bytes of one write.

use bytes::Bytes;

/// The bytes of one write. They stay where they are when this moves, which is what lets the kernel
/// read them while it is moved about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutBuf {
    /// Part of a batch that other peers send as well.
    Shared(Bytes),
    /// Pieces copied together for this peer.
    Copied(Vec<u8>),
}

impl OutBuf {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `from` on; none when there are fewer.
    #[must_use]
    pub fn tail(&self, from: usize) -> &[u8] {
        self.as_slice().get(from..).unwrap_or_default()
    }
}
