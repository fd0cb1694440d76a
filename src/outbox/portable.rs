//! An outbox in the portable form; see `proto/portable.proto`.
//!
//! The portable form holds no sealed batch: for batches of which nothing has been written yet, the tables send the
//! changes anew. So call [`Outbox::drop_sealed`] first.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::{CONTROL_MAX, Outbox, frame_lengths};
use crate::portable::form::{Queued, piece::Kind};
use crate::portable::{BYTES, Defect};
use crate::table::Tally;
use crate::wire::{Vni, whole_frames};

impl Outbox {
    /// The rest of a write that was begun, and the control messages behind it.
    pub(crate) fn export_control(&self) -> (Bytes, Bytes) {
        let rest = self.flight.as_ref().and_then(|flight| flight.rest.clone()).unwrap_or_default();
        (rest, Bytes::copy_from_slice(&self.control))
    }

    /// Gives the queued messages to `each`, in order.
    pub(crate) fn export(&self, each: &mut impl FnMut(Kind)) {
        for item in &self.queue {
            debug_assert!(item.started || item.sealed.is_none(), "no batch crosses");
            let (mut messages, mut is_begun) = (BytesMut::new(), item.started);
            for piece in item.pieces.iter().rev() {
                let mut rest = &piece[..];
                for length in frame_lengths(piece) {
                    let frame;
                    (frame, rest) = rest.split_at(length);
                    if !messages.is_empty() && messages.len() + frame.len() > BYTES {
                        let messages = messages.split().freeze();
                        each(Kind::Queued(Queued { vni: item.vni.0, messages, is_begun }));
                        is_begun = true;
                    }
                    messages.extend_from_slice(frame);
                }
            }
            let messages = messages.freeze();
            each(Kind::Queued(Queued { vni: item.vni.0, messages, is_begun }));
        }
    }

    /// An outbox with this rest and these control messages before everything else.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn import(rest: Bytes, control: Bytes) -> Result<Self, Defect> {
        if control.len() > 2 * CONTROL_MAX || !is_whole(&control) {
            return Err(Defect::Value("Connection.control"));
        }
        let mut outbox = Self { control: control.into(), ..Self::default() };
        outbox.put_back(rest);
        Ok(outbox)
    }

    /// Queues messages behind the others.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn import_queued(&mut self, queued: Queued) -> Result<(), Defect> {
        let Queued { vni, messages, is_begun } = queued;
        if messages.is_empty() || !is_whole(&messages) {
            return Err(Defect::Value("Queued.messages"));
        }
        let tally = Tally::of(&messages);
        let pieces = SmallVec::from_elem(messages, 1);
        self.push(Vni(vni), None, pieces, tally);
        if let Some(item) = self.queue.back_mut() {
            item.started = is_begun;
        }
        Ok(())
    }
}

/// Whether the bytes are whole messages.
fn is_whole(bytes: &[u8]) -> bool {
    whole_frames(bytes).map(|frame| frame.len()).sum::<usize>() == bytes.len()
}
