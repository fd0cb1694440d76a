//! Encoded updates one behind the other, written where they will stay.

use bytes::Bytes;

use crate::wire::{Action, Destination, FRAME_ROOM, NextHop, UpdateEncoder};

/// The number of zeros made at a time: they are still in the nearest cache when they are overwritten.
const PIECE: usize = 1024;
const _: () = assert!(PIECE >= FRAME_ROOM);

/// See the module's documentation. Behind the frames there are zeros, so that a frame is written by words
/// and needs no copy.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    len: usize,
}

impl Frames {
    /// A buffer with room for frames of this many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes + PIECE), len: 0 }
    }

    /// Bytes of the frames.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends the frame of an update.
    #[inline]
    pub(super) fn push(
        &mut self,
        encoder: &UpdateEncoder,
        action: Action,
        destination: &Destination,
        next_hop: &NextHop,
    ) {
        self.write(|room| encoder.write(room, action, destination, next_hop));
    }

    /// Appends the frame of an update of a route that is no default route and has a plain next hop over IPv6.
    #[inline]
    pub(super) fn push_usual(
        &mut self,
        encoder: &UpdateEncoder,
        action: Action,
        destination: &Destination,
        hop: &[u8; 16],
    ) {
        self.write(|room| encoder.write_usual(room, action, destination, hop));
    }

    #[inline]
    fn write(&mut self, write: impl FnOnce(&mut [u8; FRAME_ROOM]) -> usize) {
        if self.bytes.len() < self.len + FRAME_ROOM {
            self.make_room();
        }
        let room = self.bytes.get_mut(self.len..).and_then(|room| room.first_chunk_mut());
        if let Some(room) = room {
            self.len += write(room);
        }
    }

    /// The frames, without the zeros behind them.
    pub(super) fn into_bytes(mut self) -> Bytes {
        self.bytes.truncate(self.len);
        self.bytes.into()
    }

    #[cold]
    fn make_room(&mut self) {
        self.bytes.resize(self.len + PIECE, 0);
    }
}
