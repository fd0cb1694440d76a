//! The bytes of one write.

use bytes::Bytes;

/// The most slices of one write; well below the kernel's limit of 1024.
pub const SLICES_MAX: usize = 64;

/// The bytes of one write. They keep their address when this value moves, so the kernel can read them meanwhile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutBuf {
    /// A part of a batch, shared with the writes to other peers.
    Shared(Bytes),
    /// Several such parts, and copied bytes between them.
    Gathered(Gather),
}

impl OutBuf {
    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Shared(bytes) => bytes.len(),
            Self::Gathered(gather) => gather.len,
        }
    }

    /// Whether there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `from` on, in order, as at most [`SLICES_MAX`] slices, none of them empty; no slice if there are
    /// fewer bytes.
    pub fn slices(&self, from: usize) -> impl Iterator<Item = &[u8]> {
        let (shared, gather) = match self {
            Self::Shared(bytes) => (Some(&bytes[..]), None),
            Self::Gathered(gather) => (None, Some(gather)),
        };
        let mut skip = from;
        shared.into_iter().chain(gather.into_iter().flat_map(Gather::slices)).filter_map(
            move |slice| {
                let rest = slice.get(skip..).unwrap_or_default();
                skip = skip.saturating_sub(slice.len());
                (!rest.is_empty()).then_some(rest)
            },
        )
    }

    /// A copy of all bytes in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices(0).flatten().copied().collect()
    }
}

impl From<Vec<u8>> for OutBuf {
    fn from(bytes: Vec<u8>) -> Self {
        let (len, parts) = (bytes.len(), vec![Part::Copied { end: bytes.len() }]);
        Self::Gathered(Gather { copied: bytes, parts, len })
    }
}

/// Bytes from several places. Small pieces are copied together, because each slice costs the kernel a step. Larger
/// pieces are references, so the kernel reads them from memory that writes to other peers have just read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gather {
    copied: Vec<u8>,
    parts: Vec<Part>,
    len: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    /// The bytes copied since the last such part, up to `end`.
    Copied {
        end: usize,
    },
    Shared(Bytes),
}

impl Gather {
    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it may have no room for one more piece.
    pub(crate) fn is_full(&self) -> bool {
        self.parts.len() >= SLICES_MAX
    }

    /// Appends copies of bytes.
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.len += bytes.len();
        match self.parts.last_mut() {
            Some(Part::Copied { end }) => *end = self.copied.len(),
            _ => self.parts.push(Part::Copied { end: self.copied.len() }),
        }
    }

    /// Appends a reference.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.parts.push(Part::Shared(bytes));
    }

    /// Drops its references and bytes, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.copied.clear();
        self.parts.clear();
        self.len = 0;
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.parts.iter().map(move |part| match part {
            Part::Copied { end } => {
                let slice = self.copied.get(start..*end).unwrap_or_default();
                start = *end;
                slice
            }
            Part::Shared(bytes) => bytes,
        })
    }
}
